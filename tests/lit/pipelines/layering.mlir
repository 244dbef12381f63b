// A level's own tool does not know what belongs above it.
// RUN: not quire-plan-opt %s 2>&1 | FileCheck %s
// CHECK: error: {{.*}}func
func.func @step() {
  return
}
