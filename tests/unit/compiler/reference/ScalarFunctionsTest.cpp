// The table of elementwise functions: one op each, numbers worked out by hand.
#include "compiler/reference/ScalarFunctions.h"

#include "TestModule.h"

#include "mlir/IR/Diagnostics.h"
#include "gtest/gtest.h"

#include <cmath>

using namespace quire;
using namespace quire::test;
using quire::reference::Precision;

namespace {

/// The function of the one op that makes %r in `op`, a line over %a, %b, %c of type `type`.
struct Line {
  Line(const std::string &type, const std::string &op)
      : context(graphContext()),
        module(parse(*context, "func.func @step(%a: " + type + ", %b: " + type + ", %c: " + type +
                                   ", %t: i1) { %r = " + op + " return }")) {}

  double operator()(std::vector<double> operands, Precision precision = Precision::Float64) {
    auto function =
        reference::scalarFunction(&stepOf(*module).getBody().front().front(), precision);
    EXPECT_TRUE(mlir::succeeded(function));
    return (*function)(operands);
  }

  std::unique_ptr<mlir::MLIRContext> context;
  mlir::OwningOpRef<mlir::ModuleOp> module;
};

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(ReferenceScalars, FloatArithmetic) {
  EXPECT_EQ(Line("f32", "arith.addf %a, %b : f32")({2, 3}), 5);
  EXPECT_EQ(Line("f32", "arith.subf %a, %b : f32")({2, 3}), -1);
  EXPECT_EQ(Line("f32", "arith.mulf %a, %b : f32")({2, 3}), 6);
  EXPECT_EQ(Line("f32", "arith.divf %a, %b : f32")({3, 2}), 1.5);
  EXPECT_EQ(Line("f32", "arith.negf %a : f32")({3}), -3);
  EXPECT_EQ(Line("f32", "math.fma %a, %b, %c : f32")({2, 3, 4}), 10);
  EXPECT_EQ(Line("f32", "math.tanh %a : f32")({0.5}), std::tanh(0.5));
  EXPECT_EQ(Line("f32", "math.rsqrt %a : f32")({4}), 0.5);
  EXPECT_EQ(Line("f32", "math.powf %a, %b : f32")({2, 10}), 1024);
}

TEST(ReferenceScalars, NanGoesThroughMaximumButNotThroughMaxnum) {
  EXPECT_TRUE(std::isnan(Line("f32", "arith.maximumf %a, %b : f32")({kNan, 1})));
  EXPECT_EQ(Line("f32", "arith.maxnumf %a, %b : f32")({kNan, 1}), 1);
  EXPECT_EQ(Line("f32", "arith.minimumf %a, %b : f32")({2, 1}), 1);
}

TEST(ReferenceScalars, IntegersWrapAtTheirWidth) {
  EXPECT_EQ(Line("i32", "arith.addi %a, %b : i32")({2147483647, 1}), -2147483648.0);
  EXPECT_EQ(Line("i32", "arith.floordivsi %a, %b : i32")({-7, 2}), -4);
  EXPECT_EQ(Line("i32", "arith.divsi %a, %b : i32")({-7, 2}), -3);
  EXPECT_EQ(Line("i32", "arith.remsi %a, %b : i32")({-7, 4}), -3);
  EXPECT_EQ(Line("i32", "arith.remui %a, %b : i32")({-1, 4}), 3);
  EXPECT_EQ(Line("i8", "arith.shli %a, %b : i8")({3, 7}), -128);
  EXPECT_EQ(Line("i1", "arith.xori %a, %b : i1")({1, 0}), 1);
}

TEST(ReferenceScalars, Comparisons) {
  EXPECT_EQ(Line("i32", "arith.cmpi sle, %a, %b : i32")({-1, 0}), 1);
  EXPECT_EQ(Line("i32", "arith.cmpi ult, %a, %b : i32")({-1, 0}), 0);
  EXPECT_EQ(Line("f32", "arith.cmpf olt, %a, %b : f32")({1, kNan}), 0);
  EXPECT_EQ(Line("f32", "arith.cmpf ult, %a, %b : f32")({1, kNan}), 1);
  EXPECT_EQ(Line("f32", "arith.select %t, %a, %b : f32")({0, 1, 2}), 2);
}

TEST(ReferenceScalars, Casts) {
  EXPECT_EQ(Line("i32", "arith.sitofp %a : i32 to f32")({-3}), -3);
  EXPECT_EQ(Line("i32", "arith.uitofp %a : i32 to f32")({-1}), 4294967295.0);
  EXPECT_EQ(Line("f32", "arith.fptosi %a : f32 to i32")({-2.7}), -2);
  EXPECT_EQ(Line("f32", "arith.truncf %a : f32 to bf16")({1 + 1.0 / 256}), 1);
  EXPECT_EQ(Line("i1", "arith.extui %a : i1 to i32")({1}), 1);
  EXPECT_EQ(Line("i32", "arith.constant true")({}), 1);
  EXPECT_EQ(Line("i32", "arith.constant -5 : i32")({}), -5);
}

TEST(ReferenceScalars, SinglePrecisionRoundsEveryResult) {
  EXPECT_EQ(Line("f32", "arith.addf %a, %b : f32")({1, 1e-9}, Precision::Float32), 1);
  EXPECT_EQ(Line("f32", "arith.addf %a, %b : f32")({1, 1e-9}), 1 + 1e-9);
}

TEST(ReferenceScalars, AnUnknownOpIsNamed) {
  Line line("i32", "math.ctpop %a : i32");
  std::string message;
  mlir::ScopedDiagnosticHandler handler(line.context.get(), [&](mlir::Diagnostic &diagnostic) {
    message = diagnostic.str();
    return mlir::success();
  });
  auto function = reference::scalarFunction(&stepOf(*line.module).getBody().front().front(),
                                            Precision::Float64);
  EXPECT_TRUE(mlir::failed(function));
  EXPECT_NE(message.find("math.ctpop"), std::string::npos) << message;
}

} // namespace
