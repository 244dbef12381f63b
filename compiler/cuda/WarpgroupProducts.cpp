// Products of a warpgroup: wgmma with the left operand's 64 rows in shared memory or in registers,
// and the right operand in shared memory. Layout of registers: PTX ISA, "Register fragments for
// wgmma.mma_async.m64nNk16"; an accumulator is that of mma, so fragments need no change.
#include "compiler/cuda/WarpgroupsPrinter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

/// Defines, once, the function of an instruction and returns its name: d[columns / 2] = or += a * b
/// over 16 elements of depth.
std::string WarpgroupsPrinter::product(int64_t columns, Type type, bool leftInRegisters,
                                       bool columnMajor) {
  std::string element = storageType(type);
  std::string name = "product" + std::to_string(columns) + (leftInRegisters ? "r" : "s") +
                     (columnMajor ? "t" : "");
  if (!products.insert(name).second)
    return name;
  CodeText &out = context.preamble;
  int64_t registers = columns / 2;
  std::string list, outputs;
  for (int64_t i = 0; i < registers; ++i) {
    list += (i ? ", %" : "%") + std::to_string(i);
    outputs += (i ? ", " : "") + std::string("\"+f\"(d[") + std::to_string(i) + "])";
  }
  auto operand = [&](int64_t number) { return "%" + std::to_string(registers + number); };
  std::string left = leftInRegisters ? "{" + operand(0) + ", " + operand(1) + ", " + operand(2) +
                                           ", " + operand(3) + "}"
                                     : operand(0);
  int64_t next = leftInRegisters ? 4 : 1;
  out.line("// " + Twine(64) + " x " + Twine(columns) + " += 64 x 16 (" +
           (leftInRegisters ? "registers" : "shared memory") + ") times 16 x " + Twine(columns) +
           (columnMajor ? ", columns contiguous" : ", depth contiguous"));
  out.open("__device__ __forceinline__ void " + name + "(float *d, " +
           (leftInRegisters ? "const u32 *a" : "u64 a") + ", u64 b, int accumulate)");
  out.line("asm volatile(\"{\\n.reg .pred p;\\nsetp.ne.b32 p, " + operand(next + 1) + ", 0;\\n\"");
  out.line("  \"wgmma.mma_async.sync.aligned.m64n" + Twine(columns) + "k16.f32." + element + "." +
           element + " \"");
  out.line("  \"{" + list + "}, " + left + ", " + operand(next) + ", p, 1, 1" +
           (leftInRegisters ? "" : ", 0") + (columnMajor ? ", 1" : ", 0") + ";\\n}\"");
  out.line("  : " + outputs);
  out.line(std::string("  : ") +
           (leftInRegisters ? "\"r\"(a[0]), \"r\"(a[1]), \"r\"(a[2]), \"r\"(a[3])" : "\"l\"(a)") +
           ", \"l\"(b), \"r\"(accumulate));");
  out.close();
  return name;
}

LogicalResult WarpgroupsPrinter::contraction(linalg::GenericOp op) {
  auto instruction = op->getAttrOfType<StringAttr>(kInstruction);
  if (!instruction || !instruction.getValue().starts_with("wgmma."))
    return op.emitOpError() << "is no product of a warpgroup; its '" << kInstruction
                            << "' must be wgmma.bf16 or wgmma.f16";
  Value left = op.getDpsInputs()[0];
  Operation *leftLoad = loadOf(left), *rightLoad = loadOf(op.getDpsInputs()[1]);
  if (!isMatrix(op.getResult(0).getType()) || !rightLoad || (!leftLoad && !isHeld(left)))
    return op.emitOpError() << "has operands that a walk by warpgroups cannot give it";
  MLIRContext *mlir = op.getContext();
  Type type = instruction == "wgmma.bf16" ? Type(BFloat16Type::get(mlir)) : Float16Type::get(mlir);
  int64_t depth = op.getStaticLoopRanges().back();
  int64_t columns = cast<RankedTensorType>(op.getResult(0).getType()).getShape().back();
  if (depth % 16 != 0 || columns % 16 != 0 || columns > 256)
    return op.emitOpError() << "has a depth of " << depth << " and " << columns
                            << " columns; wgmma takes multiples of 16, at most 256 columns";

  // Products that only accumulate in a loop are one group.
  bool joins = joined && !underWay.empty();
  Group group;
  if (joins)
    group = underWay.pop_back_val();
  std::string leftAddress, rightAddress;
  const layout::SharedTile *leftTile =
      leftLoad ? &acquireFor(op, left, group, leftAddress) : nullptr;
  Value rightOperand = op.getDpsInputs()[1];
  const layout::SharedTile &right = acquireFor(op, rightOperand, group, rightAddress);
  if (auto mask = rightOperand.getDefiningOp<linalg::GenericOp>();
      mask && failed(clearRows(mask, right, rightAddress)))
    return failure();
  // A sum that starts at zero starts with the first product.
  auto zeros = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  bool isFresh = zeros && matchPattern(zeros.getInputs()[0], m_AnyZeroFloat());
  FailureOr<Held> out = isFresh ? FailureOr<Held>(declare(op.getResult(0), "dot"))
                                : continued(op, op.getDpsInitOperand(0), "dot");
  if (failed(out))
    return failure();
  group.registers.push_back(out->name);

  bool columnMajor = !depthIsContiguous(op);
  std::string function = product(columns, type, !leftLoad, columnMajor);
  // What a step of 16 elements of depth adds to a descriptor's address, in units of 16 bytes.
  auto depthStep = [](const layout::SharedTile &tile) {
    int64_t perBlock = tile.span() / 32, block = int64_t(tile.rows()) * tile.span() / 16;
    return "k / " + std::to_string(perBlock) + " * " + std::to_string(block) + " + k % " +
           std::to_string(perBlock) + " * 2";
  };
  if (takesTurn(op, /*first=*/true))
    text.line("syncNamed(" + Twine(kTurnBarrier) + " + warpgroup, 256);");
  if (!joins)
    text.line("fenceProducts();");
  text.open();
  std::string a,
      b = "b + " + (columnMajor ? "k * " + std::to_string(right.span()) : depthStep(right));
  std::string span = std::to_string(right.span());
  text.line("const u64 b = " +
            (columnMajor ? "columnMajor<" + span + ">(" + rightAddress + ", " +
                               std::to_string(right.rows()) + ")"
                         : "depthMajor<" + span + ">(" + rightAddress + ")") +
            ";");
  if (leftTile) {
    text.line("const u64 a = depthMajor<" + Twine(leftTile->span()) + ">(" + leftAddress +
              " + warpgroup * " + Twine(64 * leftTile->span()) + ");");
    a = "a + " + depthStep(*leftTile);
  } else {
    group.registers.push_back(held[left].name);
    a = held[left].name + " + k * 4";
  }
  text.openUnrolled("k", depth / 16);
  text.line(function + "(" + out->name + ", " + a + ", " + b + ", " + (isFresh ? "k > 0" : "1") +
            ");");
  text.close();
  text.close();
  if (!joined)
    text.line("commitProducts();");
  if (takesTurn(op, /*first=*/false))
    text.line("arriveNamed(" + Twine(kTurnBarrier) + " + (warpgroup + 1) % " + Twine(warpgroups()) +
              ", 256);");
  underWay.push_back(std::move(group));
  return success();
}

/// Warpgroups issue the products of a step in turns, so that one's products run beside another's
/// softmax (FlashAttention-3, "ping-pong scheduling").
bool WarpgroupsPrinter::takesTurn(linalg::GenericOp product, bool first) const {
  auto loop = dyn_cast<scf::ForOp>(product->getParentOp());
  if (takeTurns && product->getParentOp() == context.kernel)
    return loadOf(product.getDpsInputs()[0]); // the scores of the first step
  if (!loop || warpgroups() < 2 || streams(loop))
    return false;
  SmallVector<linalg::GenericOp> products;
  for (auto op : loop.getBody()->getOps<linalg::GenericOp>())
    if (isContraction(op))
      products.push_back(op);
  return products.size() > 1 && product == (first ? products.front() : products.back());
}

/// The number of rows, from the first, that a mask leaves as they are; null if it keeps others.
static Value rowsKept(linalg::GenericOp mask) {
  auto select = mask.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::SelectOp>();
  auto less = select ? select.getCondition().getDefiningOp<arith::CmpIOp>() : arith::CmpIOp();
  if (!less || less.getPredicate() != arith::CmpIPredicate::slt ||
      less.getRhs().getParentBlock() == mask.getBody() ||
      !matchPattern(select.getFalseValue(), m_AnyZeroFloat()))
    return {};
  auto cast = less.getLhs().getDefiningOp<arith::IndexCastOp>();
  auto row = (cast ? cast.getIn() : less.getLhs()).getDefiningOp<linalg::IndexOp>();
  return row && row.getDim() == 0 ? less.getRhs() : Value();
}

/// Clears the rows of a tile, in shared memory, that a mask makes zero. Every warpgroup does it for
/// itself before its product.
LogicalResult WarpgroupsPrinter::clearRows(linalg::GenericOp mask, const layout::SharedTile &tile,
                                           StringRef address) {
  Operation *last = mask.getBody()->getTerminator()->getOperand(0).getDefiningOp();
  bool byRow = isa_and_nonnull<arith::SelectOp>(last);
  mask.getBody()->walk([&](linalg::IndexOp index) { byRow &= index.getDim() == 0; });
  if (!byRow || tileOf(mask.getDpsInputs()[0]) != mask.getDpsInputs()[0])
    return mask.emitOpError() << "masks a tile by more than its rows, which a product of "
                                 "warpgroups cannot read";
  ElementPrinter elements(ElementScope{context.names, context.unique, text, text});
  bool bad = false;
  BodyInputs inputs;
  inputs.argument = [](unsigned) { return "1.0f"; };
  inputs.index = [](unsigned) { return "row"; };
  inputs.outside = [&](Value value) -> std::string {
    FailureOr<std::string> outer = elements.scalar(value);
    bad |= failed(outer);
    return succeeded(outer) ? *outer : "0";
  };
  Value kept = rowsKept(mask);
  if (kept)
    text.open("if (" + context.names.lookup(kept) + " < " + Twine(tile.rows()) + ")");
  text.open("for (int row = thread % 128; row < " + Twine(tile.rows()) + "; row += 128)");
  CodeText inside(text.indentation());
  FailureOr<std::string> passed =
      bodyExpression(*mask.getBody(), inputs, inside, context.unique, ScalarOptions{});
  if (bad || failed(passed))
    return failure();
  text.append(inside);
  text.open("if (" + *passed + " == 0.0f)");
  text.openUnrolled("i", tile.rowBytes() / 16);
  int64_t units = tile.span() / 16;
  text.line("storeShared16(" + address + " + i / " + Twine(units) + " * " +
            Twine(int64_t(tile.rows()) * tile.span()) + " + row * " + Twine(tile.span()) +
            " + i % " + Twine(units) + " * 16, make_uint4(0, 0, 0, 0));");
  text.close();
  text.close();
  text.close();
  text.line("publishShared();");
  text.line("syncNamed(" + Twine(kOwnBarrier) + " + warpgroup, 128);");
  if (kept)
    text.close();
  return success();
}

/// Whether a matrix is kept only as the left operand of products: two elements in a register then,
/// as the instruction takes them.
bool WarpgroupsPrinter::isPacked(Value value) const {
  auto op = value.getDefiningOp<linalg::GenericOp>();
  if (!op || op.getNumReductionLoops() > 0 || !isMatrix(value.getType()) ||
      storageBytes(getElementTypeOrSelf(value.getType())) != 2 || operands.contains(value))
    return false;
  return llvm::all_of(value.getUses(), [](OpOperand &use) {
    auto user = dyn_cast<linalg::GenericOp>(use.getOwner());
    return isa<scf::YieldOp, scf::ForOp>(use.getOwner()) ||
           (user && isContraction(user) && use.getOperandNumber() == 0);
  });
}

LogicalResult WarpgroupsPrinter::pack(linalg::GenericOp op) {
  auto narrowing = op.getBody()->getTerminator()->getOperand(0).getDefiningOp<arith::TruncFOp>();
  Value source = op.getNumDpsInputs() == 1 ? op.getDpsInputs()[0] : Value();
  if (!narrowing || !source || narrowing.getIn() != op.getBody()->getArgument(0) || !isHeld(source))
    return op.emitOpError() << "is the left operand of a product and more than a conversion";
  touchOperands(op);
  Held from = held[source];
  Held to{context.unique.fresh("weights"), from.columns, from.registers / 2};
  text.line("u32 " + to.name + "[" + Twine(to.registers) + "];");
  text.openUnrolled("i", to.registers);
  text.line(to.name + "[i] = packPair<" +
            storageType(getElementTypeOrSelf(op.getResult(0).getType())) + ">(" + from.name +
            "[2 * i], " + from.name + "[2 * i + 1]);");
  text.close();
  held[op.getResult(0)] = to;
  context.widestTile = std::max(context.widestTile, to.registers);
  return success();
}
