// RUN: quire-opt %s --quire-verify-plan --split-input-file --verify-diagnostics

tile.kernel @one(%x: memref<?x64xf32>) binds [<operand>] { tile.return }
plan.entry @step arena tokens 512 samples 0 {
  %n = plan.input tokens
  %a = plan.arena tokens bytes 256 offset 0
  // expected-error @+1 {{overlaps a buffer that is alive at the same time}}
  %b = plan.arena tokens bytes 256 offset 128
  plan.launch @one items %n (%a) : !plan.buffer
  plan.launch @one items %n (%b) : !plan.buffer
  plan.launch @one items %n (%a) : !plan.buffer
}

// -----

tile.kernel @one(%x: memref<?x64xf32>) binds [<operand>] { tile.return }
plan.entry @step arena tokens 128 samples 0 {
  %n = plan.input tokens
  // expected-error @+1 {{has no place in the arena}}
  %a = plan.arena tokens bytes 256 offset 0
  plan.launch @one items %n (%a) : !plan.buffer
}

// -----

tile.kernel @one(%x: memref<?x64xf32>) binds [<operand>] { tile.return }
plan.entry @step arena tokens 0 samples 0 {
  %n = plan.input tokens
  // expected-error @+1 {{passes 2 arguments, the kernel takes 1}}
  plan.launch @one items %n (%n, %n) : index, index
}

// -----

plan.entry @step arena tokens 0 samples 0 {
  // expected-error @+1 {{@absent names no memory}}
  %a = plan.use @absent
}

// -----

tile.kernel @one(%x: memref<?x64xf32>) binds [<operand>] { tile.return }
plan.partition @p <queries = 1, min = 1, max = 1, split = 64> workspace 512
plan.partition @q <queries = 8, min = 2, max = 0, split = 64> workspace 256
plan.entry @step arena tokens 256 samples 0 {
  %n = plan.input tokens
  %a = plan.arena items of @p bytes 256 offset 0
  // Other rows, other places: neither meets %a.
  %t = plan.arena tokens bytes 256 offset 0
  %c = plan.arena items of @q bytes 256 offset 0
  // expected-error @+1 {{overlaps a buffer that is alive at the same time}}
  %b = plan.arena items of @p bytes 256 offset 128
  plan.launch @one items %n (%a) : !plan.buffer
  plan.launch @one items %n (%b) : !plan.buffer
  plan.launch @one items %n (%c) : !plan.buffer
  plan.launch @one items %n (%t) : !plan.buffer
  plan.launch @one items %n (%a) : !plan.buffer
}

// -----

tile.kernel @one(%x: memref<?x64xf32>) binds [<operand>] { tile.return }
plan.partition @p <queries = 1, min = 1, max = 1, split = 64>
plan.entry @step arena tokens 256 samples 0 {
  %n = plan.input tokens
  // expected-error @+1 {{has no place in the arena}}
  %a = plan.arena items of @p bytes 256 offset 0
  plan.launch @one items %n (%a) : !plan.buffer
}
