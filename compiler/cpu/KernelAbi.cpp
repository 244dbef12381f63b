// Gives kernels the signature of plan::CpuKernel.
//
//   tile.kernel @k(%x: memref<?x64xf32>, %n: index) … grid [<tokens, 8>, <constant, 3>]
// becomes
//   func.func @k(%buffers: !llvm.ptr, %scalars: !llvm.ptr, %item: i64) {
//     %x = buffers[0];  %n = scalars[0];  work_item 0 = item / 3;  work_item 1 = item % 3 }
//
// Buffers and scalars are numbered apart, each in argument order. Variants and the host program of
// the module say nothing about code: they are dropped.
#include "compiler/cpu/Passes.h"
#include "dialect/Tile/Tile.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace quire::compiler {
#define GEN_PASS_DEF_KERNELABI
#include "compiler/cpu/Passes.h.inc"
} // namespace quire::compiler

using namespace mlir;
using namespace quire;
using namespace quire::compiler;

namespace {

/// Stands for the row count of a buffer, which the call does not pass: no access depends on it.
constexpr int64_t kManyRows = int64_t(1) << 40;

class AbiWriter {
public:
  AbiWriter(tile::KernelOp kernel, LLVMTypeConverter &types)
      : kernel(kernel), types(types), builder(kernel) {}

  LogicalResult run() {
    Location loc = kernel.getLoc();
    Type pointer = LLVM::LLVMPointerType::get(kernel.getContext());
    auto function = func::FuncOp::create(
        builder, loc, kernel.getSymName(),
        builder.getFunctionType({pointer, pointer, builder.getI64Type()}, {}));
    Block *entry = function.addEntryBlock();
    builder.setInsertionPointToStart(entry);
    int64_t buffers = 0, scalars = 0;
    SmallVector<Value> arguments;
    for (BlockArgument argument : kernel.entry().getArguments()) {
      if (auto type = dyn_cast<MemRefType>(argument.getType())) {
        Value buffer = element(entry->getArgument(0), pointer, buffers++);
        FailureOr<Value> view = asMemref(buffer, type);
        if (failed(view))
          return kernel.emitOpError() << "argument " << argument.getArgNumber() << " of type "
                                      << type << " must have constant strides and offset 0";
        arguments.push_back(*view);
      } else {
        Value scalar = element(entry->getArgument(1), builder.getI64Type(), scalars++);
        arguments.push_back(
            arith::IndexCastOp::create(builder, loc, builder.getIndexType(), scalar));
      }
    }
    SmallVector<Value> items = workItems(entry->getArgument(2));
    Block &body = kernel.entry();
    for (auto [argument, value] : llvm::zip(body.getArguments(), arguments))
      argument.replaceAllUsesWith(value);
    kernel.walk([&](tile::WorkItemOp item) {
      item.replaceAllUsesWith(items[item.getDimension()]);
      item.erase();
    });
    entry->getOperations().splice(entry->end(), body.getOperations());
    Operation *end = entry->getTerminator();
    builder.setInsertionPoint(end);
    func::ReturnOp::create(builder, loc);
    end->erase();
    kernel.erase();
    return success();
  }

private:
  Value element(Value array, Type type, int64_t index) {
    Location loc = kernel.getLoc();
    Value address = LLVM::GEPOp::create(builder, loc, array.getType(), type, array,
                                        ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
    auto load = LLVM::LoadOp::create(builder, loc, type, address);
    load.setInvariant(true);
    return load;
  }

  FailureOr<Value> asMemref(Value pointer, MemRefType type) {
    Location loc = kernel.getLoc();
    SmallVector<int64_t> strides;
    int64_t offset;
    if (failed(type.getStridesAndOffset(strides, offset)) || offset != 0 ||
        llvm::any_of(strides, ShapedType::isDynamic))
      return failure();
    auto constant = [&](int64_t value) {
      return LLVM::ConstantOp::create(builder, loc, builder.getI64IntegerAttr(value)).getResult();
    };
    SmallVector<Value> fields{pointer, pointer, constant(0)};
    for (int64_t size : type.getShape())
      fields.push_back(constant(ShapedType::isDynamic(size) ? kManyRows : size));
    for (int64_t stride : strides)
      fields.push_back(constant(stride));
    Value descriptor = MemRefDescriptor::pack(builder, loc, types, type, fields);
    return UnrealizedConversionCastOp::create(builder, loc, TypeRange(type), descriptor)
        .getResult(0);
  }

  /// The item's index in each grid dimension, the last running fastest.
  SmallVector<Value> workItems(Value item) {
    Location loc = kernel.getLoc();
    Value rest = arith::IndexCastOp::create(builder, loc, builder.getIndexType(), item);
    tile::GridAttr grid = kernel.getGridAttr();
    SmallVector<Value> items(grid ? grid.size() : 1, rest);
    for (size_t dimension = items.size(); dimension-- > 1;) {
      Value size = arith::ConstantIndexOp::create(builder, loc, grid[dimension].getSize());
      items[dimension] = arith::RemUIOp::create(builder, loc, rest, size);
      rest = arith::DivUIOp::create(builder, loc, rest, size);
    }
    items[0] = rest;
    return items;
  }

  tile::KernelOp kernel;
  LLVMTypeConverter &types;
  OpBuilder builder;
};

struct KernelAbi : quire::compiler::impl::KernelAbiBase<KernelAbi> {
  void runOnOperation() override {
    LLVMTypeConverter types(&getContext());
    SmallVector<Operation *> others;
    SmallVector<tile::KernelOp> kernels;
    for (Operation &op : getOperation().getOps()) {
      if (auto kernel = dyn_cast<tile::KernelOp>(op))
        kernels.push_back(kernel);
      else
        others.push_back(&op);
    }
    for (Operation *op : others)
      op->erase();
    for (tile::KernelOp kernel : kernels)
      if (failed(AbiWriter(kernel, types).run()))
        return signalPassFailure();
  }
};

} // namespace
