// Types and enums of the plan dialect.
#ifndef QUIRE_PLAN_TYPES
#define QUIRE_PLAN_TYPES

include "dialect/Plan/PlanDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

def Plan_BufferType : TypeDef<Plan_Dialect, "Buffer"> {
  let mnemonic = "buffer";
  let summary = "device memory that a kernel argument can point to";
}

class Plan_Enum<string name, string text, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, text, cases> {
  let cppNamespace = "::quire::planir";
  let genSpecializedAttr = 0;
}

def Plan_RowExtent : Plan_Enum<"RowExtent", "what the rows of a buffer count", [
  I32EnumAttrCase<"One", 0, "one">, I32EnumAttrCase<"Tokens", 1, "tokens">,
  I32EnumAttrCase<"Samples", 2, "samples">,
  I32EnumAttrCase<"Items", 3, "items">]>; // items that a work list can hold; temporaries only
def Plan_RowExtentAttr : EnumAttr<Plan_Dialect, Plan_RowExtent, "row_extent">;

// In the order of plan::InputRegister.
def Plan_StepInput : Plan_Enum<"StepInput", "a number known when a step starts", [
  I32EnumAttrCase<"Tokens", 0, "tokens">, I32EnumAttrCase<"Sequences", 1, "sequences">,
  I32EnumAttrCase<"Samples", 2, "samples">, I32EnumAttrCase<"PaddedTokens", 3, "padded_tokens">,
  I32EnumAttrCase<"PaddedSamples", 4, "padded_samples">,
  I32EnumAttrCase<"MaxPages", 5, "max_pages">]>;
def Plan_StepInputAttr : EnumAttr<Plan_Dialect, Plan_StepInput, "step_input">;

// In the order of plan::BatchField.
def Plan_BatchArray : Plan_Enum<"BatchArray", "an array that describes the ragged batch", [
  I32EnumAttrCase<"TokenIds", 0, "token_ids">, I32EnumAttrCase<"Positions", 1, "positions">,
  I32EnumAttrCase<"Slots", 2, "slots">, I32EnumAttrCase<"QueryOffsets", 3, "query_offsets">,
  I32EnumAttrCase<"KeyLengths", 4, "key_lengths">, I32EnumAttrCase<"BlockTable", 5, "block_table">,
  I32EnumAttrCase<"SampleRows", 6, "sample_rows">, I32EnumAttrCase<"Sampling", 7, "sampling">]>;
def Plan_BatchArrayAttr : EnumAttr<Plan_Dialect, Plan_BatchArray, "batch_array">;

#endif
