// Matrix products on the tensor cores. The left operand is a tile in shared memory or a fragment in
// registers (the accumulator's columns are then the depth, no lane needs another's elements); the
// right one is a tile in shared memory, whichever of its dimensions is contiguous. Which lane holds
// what is in compiler/layout/MmaFragment.h; the addresses below are its matrixLoad.
#include "compiler/cuda/FragmentsPrinter.h"

using namespace mlir;
using namespace quire;
using namespace quire::cuda;

namespace {

std::string times(StringRef index, int64_t factor) {
  return index == "0" ? "0" : (index + " * " + Twine(factor)).str();
}

} // namespace

LogicalResult FragmentsPrinter::contraction(linalg::GenericOp op) {
  auto instruction = op->getAttrOfType<StringAttr>(kInstruction);
  if (!instruction)
    return op.emitOpError() << "has no '" << kInstruction
                            << "'; run quire-cuda-choose-instructions first";
  if (!isMatrix(op.getResult(0).getType()))
    return op.emitOpError() << "has rows other than the kernel's " << rows;
  if (failed(stageOperands({op}, nullptr)))
    return failure();
  if (pending && !op->getParentOfType<scf::ForOp>()) {
    text.line("waitCopies<0>();");
    text.line("__syncthreads();");
    pending = false;
  }
  FailureOr<Held> out = continued(op, op.getDpsInitOperand(0), "dot");
  if (failed(out))
    return failure();
  if (instruction == "mma.bf16")
    return multiplyHalf(op, *out, BFloat16Type::get(op.getContext()));
  if (instruction == "mma.f16")
    return multiplyHalf(op, *out, Float16Type::get(op.getContext()));
  if (instruction == "mma.tf32x3")
    return multiplyTf32(op, *out);
  return op.emitOpError() << "has instruction " << instruction << ", which is not known";
}

std::string FragmentsPrinter::leftAddress(const StagedTile &tile) const {
  std::string row = context.warpsM == 1
                        ? std::string("m * 16")
                        : "(m * " + std::to_string(context.warpsM) + " + " + warpRow() + ") * 16";
  return tile.name + " + (" + row + " + lane % 16) * " + std::to_string(tile.memory.pitch()) +
         " + (k * 16 + lane / 16 * 8) * 2";
}

void FragmentsPrinter::readInvariant(ArrayRef<linalg::GenericOp> contractions) {
  constexpr int64_t kFewRegisters = 32;
  for (linalg::GenericOp op : contractions) {
    Value left = op.getDpsInputs()[0];
    auto tile = staged.find(left);
    int64_t steps = (op.getStaticLoopRanges().back() + 15) / 16, m = tilesM();
    Operation *maker = left.getDefiningOp();
    bool isInvariant = maker && !op->getParentOp()->isProperAncestor(maker);
    if (tile == staged.end() || !isInvariant || !isMultipliedHalf(op) ||
        steps * m * 4 > kFewRegisters || invariant.contains(left))
      continue;
    std::string name = context.unique.fresh("left");
    text.line("u32 " + name + "[" + Twine(steps) + "][" + Twine(m) + "][4];");
    text.openUnrolled("k", steps);
    text.openUnrolled("m", m);
    text.line("loadMatrix4(" + name + "[k][m], " + leftAddress(tile->second) + ");");
    if (isUpperHalf())
      text.line(name + "[k][m][1] = " + name + "[k][m][3] = 0;");
    text.close();
    text.close();
    invariant[left] = name;
    context.operandRegisters = std::max(context.operandRegisters, steps * m * 4);
  }
}

LogicalResult FragmentsPrinter::multiplyHalf(linalg::GenericOp op, const Held &out, Type type) {
  Value left = op.getDpsInputs()[0], right = op.getDpsInputs()[1];
  int64_t depth = op.getStaticLoopRanges().back();
  int64_t m = tilesM(), n = tilesN(out.columns);
  bool leftHeld = isHeld(left);
  if (leftHeld && (context.warpsN > 1 || depth % 16 != 0))
    return op.emitOpError() << "reads rows that " << context.warpsN
                            << " warps share, or a depth of " << depth
                            << " that is no multiple of 16";
  const StagedTile &b = staged.find(right)->second;
  int64_t steps = (depth + 15) / 16;
  bool contiguous = depthIsContiguous(op);
  std::string element = storageType(type);

  auto kept = invariant.find(left);
  std::string a = kept == invariant.end() ? "a" : kept->second + "[k]";
  text.openUnrolled("k", steps);
  if (kept == invariant.end())
    text.line("u32 a[" + Twine(m) + "][4];");
  text.line("u32 b[" + Twine(n / 2) + "][4];");
  if (leftHeld) {
    const Held &source = held[left];
    int64_t width = tilesN(source.columns) * 4;
    text.openUnrolled("m", m);
    text.line("const float *p = " + source.name + " + m * " + Twine(width) + " + k * 8;");
    for (int64_t word = 0; word < 4; ++word) {
      std::string pair = "p[" + std::to_string(2 * word) + "], p[" + std::to_string(2 * word + 1);
      bool exists = word % 2 == 0 || !isUpperHalf();
      text.line("a[m][" + Twine(word) +
                "] = " + (exists ? "packPair<" + element + ">(" + pair + "])" : "0") + ";");
    }
    text.close();
  } else if (kept == invariant.end()) {
    text.openUnrolled("m", m);
    text.line("loadMatrix4(a[m], " + leftAddress(staged.find(left)->second) + ");");
    text.close();
  }
  text.openUnrolled("n", n / 2);
  std::string column =
      context.warpsN == 1 ? std::string("n * 16") : "(" + times(warpColumn(), n / 2) + " + n) * 16";
  if (contiguous) {
    text.line("const int row = " + column + " + lane / 16 * 8 + lane % 8;");
    text.line("loadMatrix4(b[n], " + b.at("row", "k * 32 + lane / 8 % 2 * 16") + ");");
  } else {
    text.line("const int row = k * 16 + lane % 16, column = (" + column +
              " + lane / 16 * 8) * 2;");
    text.line("loadMatrix4Transposed(b[n], " + b.at("row", "column") + ");");
  }
  text.close();
  text.openUnrolled("m", m);
  text.openUnrolled("n", n);
  text.line("mma<" + element + ">(" + out.name + " + (m * " + Twine(n) +
            " + n) * 4, " + a + "[m], b[n / 2] + n % 2 * 2);");
  text.close();
  text.close();
  text.close();
  // The right operand is read as it is needed: a few tiles of it at a time will do.
  context.operandRegisters =
      std::max(context.operandRegisters, m * 4 + std::min<int64_t>(n * 2, 16));
  return success();
}

/// Operands are read element by element and split into two tf32 numbers each. With a fragment as
/// the left operand neighbouring columns 2t and 2t + 1 of a lane stand for depth t and t + 4, on
/// both sides.
LogicalResult FragmentsPrinter::multiplyTf32(linalg::GenericOp op, const Held &out) {
  Value left = op.getDpsInputs()[0], right = op.getDpsInputs()[1];
  int64_t depth = op.getStaticLoopRanges().back();
  int64_t m = tilesM(), n = tilesN(out.columns);
  bool leftHeld = isHeld(left);
  if (leftHeld && (context.warpsN > 1 || depth % 8 != 0))
    return op.emitOpError() << "reads rows that " << context.warpsN
                            << " warps share, or a depth of " << depth
                            << " that is no multiple of 8";
  const StagedTile &b = staged.find(right)->second;
  bool contiguous = depthIsContiguous(op);
  auto element = [&](const StagedTile &tile, const Twine &row, const Twine &column) {
    std::string type = storageType(tile.element);
    std::string pitch = std::to_string(tile.memory.pitch() / storageBytes(tile.element));
    return "splitTf32(toFloat(" + tile.name + "At[(" + row.str() + ") * " + pitch + " + " +
           column.str() + "]))";
  };
  auto pointer = [&](const StagedTile &tile) {
    std::string type = storageType(tile.element);
    text.line("const " + type + " *const " + tile.name + "At = static_cast<const " + type +
              " *>(__cvta_shared_to_generic(" + tile.name + "));");
  };
  text.open();
  pointer(b);
  if (!leftHeld)
    pointer(staged.find(left)->second);
  // Registers of a fragment have constant numbers; otherwise one step at a time has registers
  // enough.
  if (leftHeld) {
    text.openUnrolled("k", (depth + 7) / 8);
  } else {
    text.line("#pragma unroll 1");
    text.open("for (int k = 0; k < " + Twine((depth + 7) / 8) + "; ++k)");
  }
  text.line("Tf32Pair a[" + Twine(m) + "][4];");
  text.openUnrolled("m", m);
  std::string depthAt[2] = {"k * 8 + lane % 4", "k * 8 + lane % 4 + 4"};
  if (leftHeld) {
    const Held &source = held[left];
    text.line("const float *p = " + source.name + " + (m * " + Twine(tilesN(source.columns)) +
              " + k) * 4;");
    std::string lower[2] = {"splitTf32(p[2])", "splitTf32(p[3])"};
    if (isUpperHalf())
      lower[0] = lower[1] = "Tf32Pair{}";
    text.line("a[m][0] = splitTf32(p[0]), a[m][1] = " + lower[0] + ";");
    text.line("a[m][2] = splitTf32(p[1]), a[m][3] = " + lower[1] + ";");
    depthAt[0] = "k * 8 + lane % 4 * 2";
    depthAt[1] = "k * 8 + lane % 4 * 2 + 1";
  } else {
    const StagedTile &a = staged.find(left)->second;
    std::string row = context.warpsM == 1
                          ? std::string("m * 16")
                          : "(m * " + std::to_string(context.warpsM) + " + " + warpRow() + ") * 16";
    for (int word = 0; word < 4; ++word)
      text.line("a[m][" + Twine(word) + "] = " +
                element(a, row + " + lane / 4" + (word % 2 ? " + 8" : ""), depthAt[word / 2]) +
                ";");
  }
  text.close();
  text.openUnrolled("n", n);
  std::string column =
      (context.warpsN == 1 ? std::string("n * 8") : "(" + times(warpColumn(), n) + " + n) * 8") +
      " + lane / 4";
  std::string values[2];
  for (int word = 0; word < 2; ++word)
    values[word] =
        contiguous ? element(b, column, depthAt[word]) : element(b, depthAt[word], column);
  text.line("const Tf32Pair b[2] = {" + values[0] + ", " + values[1] + "};");
  text.openUnrolled("m", m);
  text.line("mmaTf32x3(" + out.name + " + (m * " + Twine(n) + " + n) * 4, a[m], b);");
  text.close();
  text.close();
  text.close();
  text.close();
  context.operandRegisters = std::max(context.operandRegisters, m * 8 + 4);
  return success();
}
