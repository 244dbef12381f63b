// RUN: quire-opt %s --split-input-file --verify-diagnostics

// expected-error @+1 {{sources have 63 rows, the type 'tensor<64x64xbf16>' has 64}}
plan.weight @w "w" [<"a", rows = 63, columns = 64>] panel 32 : tensor<64x64xbf16>

// -----

// expected-error @+1 {{type 'tensor<8x2x2xbf16>' must be a vector or a matrix}}
plan.weight @w "w" [<"a", rows = 4, columns = 1>, <"b", rows = 4, columns = 1>] panel 32 : tensor<8x2x2xbf16>

// -----

// expected-error @+1 {{must be [positions, 4]}}
plan.rotary_table @t [1.0, 0.5] scale 1.0 : tensor<16x8xf32>

// -----

// expected-error @+1 {{stride 32 must cover 64 columns}}
plan.tensor @t rows tokens columns 64 stride 32 of f32

// -----

plan.entry @step {
  // expected-error @+1 {{a temporary counts token rows, sample rows or items}}
  %a = plan.arena one bytes 64
}

// -----

plan.entry @step {
  // expected-error @+1 {{counts items; items, and nothing else, are counted `of` a work list}}
  %a = plan.arena items bytes 64
}

// -----

plan.entry @step {
  // expected-error @+1 {{counts tokens; items, and nothing else, are counted `of` a work list}}
  %a = plan.arena tokens of @items bytes 64
}

// -----

// expected-error @+1 {{an input or output cannot count the items of a work list}}
plan.tensor @t rows items columns 64 stride 64 of f32

// -----

plan.entry @step {
  %t = plan.input tokens
  // expected-error @+1 {{has 1 limits for 2 regions}}
  plan.select %t limits [0] {
  }, {
  }
}

// -----

plan.entry @step {
  %t = plan.input tokens
  // expected-error @+1 {{the last region must take any number of rows}}
  plan.select %t limits [4, 8] {
  }, {
  }
}
