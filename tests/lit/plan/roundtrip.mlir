// RUN: quire-opt %s --verify-roundtrip | FileCheck %s
// One space between words, whatever FileCheck forgives:
// RUN: quire-opt %s | not grep '[^ ]  [^ ]'

// CHECK: plan.weight @w0 "embed" [<"a", rows = 64, columns = 64>] panel 32 : tensor<64x64xbf16>
plan.weight @w0 "embed" [<"a", rows = 64, columns = 64>] panel 32 : tensor<64x64xbf16>
// CHECK: plan.rotary_table @t0 {{.*}} scale 1.0{{.*}} : tensor<16x4xf32>
plan.rotary_table @t0 [1.0, 0.5] scale 1.0 : tensor<16x4xf32>
// CHECK: plan.pool @c0k "cache.0.k" elements 4096 of bf16 group 0 place 0 window 0
plan.pool @c0k "cache.0.k" elements 4096 of bf16 group 0 place 0 window 0
// CHECK: plan.tensor @logits output rows samples columns 64 stride 64 of f32
plan.tensor @logits output rows samples columns 64 stride 64 of f32
// CHECK: plan.partition @p0 <queries = 1, min = 1, max = 1>
plan.partition @p0 <queries = 1, min = 1, max = 1>
// CHECK: plan.partition @p1 <queries = 1, min = 1, max = 1, split = 64> workspace 528
plan.partition @p1 <queries = 1, min = 1, max = 1, split = 64> workspace 528
// CHECK: plan.entry @step {
plan.entry @step {
  %t = plan.input padded_tokens
  %n = plan.items @p0
  %c8 = arith.constant 8 : index
  %g = arith.ceildivui %t, %c8 : index
  %w = plan.use @w0
  %x = plan.arena tokens bytes 256
  // CHECK: plan.arena items of @p1 bytes 512 offset 16
  %parts = plan.arena items of @p1 bytes 512 offset 16
  %s = plan.batch slots
  // CHECK: plan.select %{{.*}} limits [1, 0]
  plan.select %t limits [1, 0] {
    // CHECK: plan.launch @k items %{{.*}}(%{{.*}}) : !plan.buffer, !plan.buffer, !plan.buffer, index
    plan.launch @k items %g (%w, %x, %s, %t) : !plan.buffer, !plan.buffer, !plan.buffer, index
  }, {
    plan.launch @k2 items %n (%w, %x, %s, %t) : !plan.buffer, !plan.buffer, !plan.buffer, index
  }
}
