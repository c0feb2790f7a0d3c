// Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// RUN: bitnet-opt %s --split-input-file --verify-diagnostics

func.func @f() {
  // expected-error @+1 {{must be a static tensor of rank 2}}
  %0 = bitnet.constant dense_resource<t> : tensor<6x!bitnet.ternary>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{must be a static tensor of rank 2 of !bitnet.ternary or !bitnet.binary}}
  %0 = bitnet.constant dense_resource<t> : tensor<2x6xi8>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{must have a static shape}}
  %0 = bitnet.archive "w" at 0 : tensor<?xi8>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{must have integers or floats as elements}}
  %0 = bitnet.archive "w" at 0 : tensor<4x!bitnet.ternary>
  return
}

// -----

func.func @f() {
  // expected-error @+1 {{offset must not be negative}}
  %0 = bitnet.archive "w" at -64 : tensor<4xi8>
  return
}

// -----

func.func @f(%x: tensor<4x6x1xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{operand 'input' of type 'tensor<4x6x1xf32>' must have rank 2}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6x1xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf16>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{operand 'input' of type 'tensor<4x6xf16>' must have elements of type f32}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf16>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x5xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{operand 'values' of type 'tensor<4x5xi8>' must have at least 6 columns}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x5xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x5xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<3x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{operand 'values' of type 'tensor<3x6xi8>' must have extent 4 in dimension 0}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<3x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<3x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi32>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{operand 'values' must have elements of type i8 or i16}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi32>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi32>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{operand 'steps' of type 'tensor<4xf32>' must have extent 1 in dimension 0}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64, granularity = #bitnet.granularity<tensor>} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi64>) {
  // expected-error @+1 {{operand 'sums' of type 'tensor<4xi64>' must have elements of type i32}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi64>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi64>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{qmin and qmax must fit in 'i8'}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 128 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{needs qmin <= 0 <= qmax and qmin < qmax}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = 1 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{attribute 'bound' must be finite and positive}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 0.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{attribute 'epsilon' must be finite and not negative}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = -1.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x99999xf32>, %0: tensor<4x99999xi16>, %1: tensor<4xf32>, %2: tensor<4xi32>) {
  // expected-error @+1 {{the sum of a row may exceed i32}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x99999xf32>) outs(%0, %1, %2 : tensor<4x99999xi16>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -32768 : i64, qmax = 32767 : i64} -> tensor<4x99999xi16>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x5x!bitnet.ternary>, %o: tensor<4x2xi32>) {
  // expected-error @+1 {{operand 'lhs' of type 'tensor<4x6xi8>' must have extent 5 in dimension 1}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x6xi8>, tensor<2x5x!bitnet.ternary>) outs(%o : tensor<4x2xi32>) -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6xi8>, %o: tensor<4x2xi32>) {
  // expected-error @+1 {{must have elements of type !bitnet.ternary or !bitnet.binary}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x6xi8>, tensor<2x6xi8>) outs(%o : tensor<4x2xi32>) -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %o: tensor<4x2xf32>) {
  // expected-error @+1 {{operand 'output' of type 'tensor<4x2xf32>' must have elements of type i32}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>) outs(%o : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%a: tensor<4x2xi32>, %t: tensor<3xf32>, %s: tensor<1xf32>, %o: tensor<4x2xf32>) {
  // expected-error @+1 {{operand 'step' of type 'tensor<3xf32>' must have extent 4 or 1 in dimension 0}}
  %0 = bitnet.rescale ins(%a, %t, %s : tensor<4x2xi32>, tensor<3xf32>, tensor<1xf32>) outs(%o : tensor<4x2xf32>) -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{has rows or columns without a packing}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {rows = 2 : i64} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<32xi8>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{needs rows and columns beside its packing}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<32xi8>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {packing = #bitnet.packing<planes2, rows = 8>} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<31xi8>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{operand 'weight' of type 'tensor<31xi8>' must have extent 32 in dimension 0}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<31xi8>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {packing = #bitnet.packing<planes2, rows = 8>, rows = 2 : i64, columns = 6 : i64} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<32xi8>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{rows and columns must be positive}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<32xi8>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {packing = #bitnet.packing<planes2, rows = 8>, rows = 0 : i64, columns = 6 : i64} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>) {
  // expected-error @+1 {{must have elements of type f32 where there is no step}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xf32>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{must have elements of type i8 or i16 where there is a step}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xf32>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x5xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{must have at least 6 columns}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x5xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<3xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{operand 'scale' of type 'tensor<3xf32>' must have extent 2 or 1 in dimension 0}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<3xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<2x4xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{must have a static number of groups that divides 6 columns}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<2x4xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi16>) {
  // expected-error @+1 {{operand 'sum' of type 'tensor<4xi16>' must have elements of type i32}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi16>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>, %b: tensor<1xf32>) {
  // expected-error @+1 {{operand 'bias' of type 'tensor<1xf32>' must have extent 2 in dimension 0}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) bias(%b : tensor<1xf32>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x3xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>) {
  // expected-error @+1 {{operand 'output' of type 'tensor<4x3xf32>' must have extent 2 in dimension 1}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) outs(%o : tensor<4x3xf32>) {} -> tensor<4x3xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>, %g: tensor<1x2xf32>) {
  // expected-error @+1 {{operand 'factor' of type 'tensor<1x2xf32>' must have extent 4 in dimension 0}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) times(%g : tensor<1x2xf32>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<2x6x!bitnet.ternary>, %s: tensor<1xf32>, %o: tensor<4x2xf32>, %t: tensor<4xf32>, %u: tensor<4xi32>, %g: tensor<4x2xf16>) {
  // expected-error @+1 {{operand 'addend' of type 'tensor<4x2xf16>' must have elements of type f32}}
  %0 = bitnet.linear ins(%q, %w, %s : tensor<4x6xi8>, tensor<2x6x!bitnet.ternary>, tensor<1xf32>) quantized(%t, %u : tensor<4xf32>, tensor<4xi32>) plus(%g : tensor<4x2xf16>) outs(%o : tensor<4x2xf32>) {} -> tensor<4x2xf32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>, %w: tensor<6xf32>) {
  // expected-error @+1 {{expected them beside norm only}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) weight(%w : tensor<6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>, %w: tensor<6xf32>) {
  // expected-error @+1 {{needs norm_epsilon beside norm}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) weight(%w : tensor<6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64, norm = #bitnet.norm_kind<rms>} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<1xf32>, %2: tensor<4xi32>, %w: tensor<6xf32>) {
  // expected-error @+1 {{has a norm; expected granularity token}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) weight(%w : tensor<6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<1xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64, norm = #bitnet.norm_kind<rms>, norm_epsilon = 0.0 : f32, granularity = #bitnet.granularity<tensor>} -> tensor<4x6xi8>, tensor<1xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>, %w: tensor<5xf32>) {
  // expected-error @+1 {{operand 'weight' of type 'tensor<5xf32>' must have extent 6 in dimension 0}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) weight(%w : tensor<5xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64, norm = #bitnet.norm_kind<rms>, norm_epsilon = 0.0 : f32} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x6xf32>, %0: tensor<4x6xi8>, %1: tensor<4xf32>, %2: tensor<4xi32>, %w: tensor<6xf32>) {
  // expected-error @+1 {{attribute 'norm_epsilon' must be finite and not negative}}
  %q:3 = bitnet.quantize ins(%x : tensor<4x6xf32>) weight(%w : tensor<6xf32>) outs(%0, %1, %2 : tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -128 : i64, qmax = 127 : i64, norm = #bitnet.norm_kind<rms>, norm_epsilon = -1.0 : f32} -> tensor<4x6xi8>, tensor<4xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %w: tensor<7xf32>) {
  // expected-error @+1 {{operand 'weight' of type 'tensor<7xf32>' must have extent 8 in dimension 0}}
  %0 = bitnet.norm ins(%x : tensor<4x8xf32>) weight(%w : tensor<7xf32>) outs(%x : tensor<4x8xf32>) {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>) {
  // expected-error @+1 {{attribute 'epsilon' must be finite and not negative}}
  %0 = bitnet.norm ins(%x : tensor<4x8xf32>) outs(%x : tensor<4x8xf32>) {kind = #bitnet.norm_kind<rms>, epsilon = 0x7FC00000 : f32} -> tensor<4x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x8xf32>, %y: memref<4x8xf32>) {
  // expected-error @+1 {{mixes tensors and memrefs}}
  bitnet.norm ins(%x : tensor<4x8xf32>) outs(%y : memref<4x8xf32>) {kind = #bitnet.norm_kind<rms>, epsilon = 1.0e-5 : f32}
  return
}

// -----

func.func @f(%x: tensor<1x2x4x7xf32>, %t: tensor<1x4x7xf32>) {
  // expected-error @+1 {{must have an even, static last dimension}}
  %0 = bitnet.rotary ins(%x, %t, %t : tensor<1x2x4x7xf32>, tensor<1x4x7xf32>, tensor<1x4x7xf32>) outs(%x : tensor<1x2x4x7xf32>) -> tensor<1x2x4x7xf32>
  return
}

// -----

func.func @f(%x: tensor<1x2x4x8xf32>, %t: tensor<1x3x8xf32>) {
  // expected-error @+1 {{operand 'cos' of type 'tensor<1x3x8xf32>' must have extent 4 in dimension 1}}
  %0 = bitnet.rotary ins(%x, %t, %t : tensor<1x2x4x8xf32>, tensor<1x3x8xf32>, tensor<1x3x8xf32>) outs(%x : tensor<1x2x4x8xf32>) -> tensor<1x2x4x8xf32>
  return
}

// -----

func.func @f(%n: tensor<1x2x9x8xf32>, %c: tensor<1x2x8x8xf32>, %p: index) {
  // expected-error @+1 {{must fit in a cache of capacity 8}}
  %0 = bitnet.cache_update ins(%n, %p : tensor<1x2x9x8xf32>, index) outs(%c : tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  return
}

// -----

func.func @f(%n: tensor<1x2x1x8xf32>, %c: tensor<1x3x8x8xf32>, %p: index) {
  // expected-error @+1 {{operand 'output' of type 'tensor<1x3x8x8xf32>' must have extent 2 in dimension 1}}
  %0 = bitnet.cache_update ins(%n, %p : tensor<1x2x1x8xf32>, index) outs(%c : tensor<1x3x8x8xf32>) -> tensor<1x3x8x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x6x4x8xf32>, %k: tensor<1x4x9x8xf32>, %v: tensor<1x4x9x8xf32>, %o: tensor<1x6x4x8xf32>) {
  // expected-error @+1 {{operand 'key' of type 'tensor<1x4x9x8xf32>' must have a number of heads that divides 6}}
  %0 = bitnet.attention ins(%q, %k, %v : tensor<1x6x4x8xf32>, tensor<1x4x9x8xf32>, tensor<1x4x9x8xf32>) outs(%o : tensor<1x6x4x8xf32>) {scale = 1.0 : f32} -> tensor<1x6x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x6x4x8xf32>, %k: tensor<1x2x9x8xf32>, %v: tensor<1x2x7x8xf32>, %o: tensor<1x6x4x8xf32>) {
  // expected-error @+1 {{operand 'value' of type 'tensor<1x2x7x8xf32>' must have extent 9 in dimension 2}}
  %0 = bitnet.attention ins(%q, %k, %v : tensor<1x6x4x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x7x8xf32>) outs(%o : tensor<1x6x4x8xf32>) {scale = 1.0 : f32} -> tensor<1x6x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x6x4x8xf32>, %k: tensor<1x2x9x8xf32>, %v: tensor<1x2x9x8xf32>, %o: tensor<1x6x4x8xf32>, %m: tensor<1x1x4x7xf32>) {
  // expected-error @+1 {{operand 'mask' of type 'tensor<1x1x4x7xf32>' must have extent 9 in dimension 3}}
  %0 = bitnet.attention ins(%q, %k, %v : tensor<1x6x4x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x9x8xf32>) mask(%m : tensor<1x1x4x7xf32>) outs(%o : tensor<1x6x4x8xf32>) {scale = 1.0 : f32} -> tensor<1x6x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x6x4x8xf32>, %k: tensor<1x2x9x8xf32>, %v: tensor<1x2x9x8xf32>, %o: tensor<1x6x4x8xf32>, %m: tensor<1x1x4x9xi1>) {
  // expected-error @+1 {{operand 'mask' of type 'tensor<1x1x4x9xi1>' must have elements of type f32}}
  %0 = bitnet.attention ins(%q, %k, %v : tensor<1x6x4x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x9x8xf32>) mask(%m : tensor<1x1x4x9xi1>) outs(%o : tensor<1x6x4x8xf32>) {scale = 1.0 : f32} -> tensor<1x6x4x8xf32>
  return
}

// -----

func.func @f(%q: tensor<1x6x4x8xf32>, %k: tensor<1x2x9x8xf32>, %v: tensor<1x2x9x8xf32>, %o: tensor<1x6x4x5xf32>) {
  // expected-error @+1 {{operand 'output' of type 'tensor<1x6x4x5xf32>' must have extent 8 in dimension 3}}
  %0 = bitnet.attention ins(%q, %k, %v : tensor<1x6x4x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x9x8xf32>) outs(%o : tensor<1x6x4x5xf32>) {scale = 1.0 : f32} -> tensor<1x6x4x5xf32>
  return
}

// -----

func.func @f(%q: tensor<1x6x4x8xf32>, %k: tensor<1x2x9x8xf32>, %v: tensor<1x2x9x8xf32>, %o: tensor<1x6x4x8xf32>) {
  // expected-error @+1 {{attribute 'scale' must be finite}}
  %0 = bitnet.attention ins(%q, %k, %v : tensor<1x6x4x8xf32>, tensor<1x2x9x8xf32>, tensor<1x2x9x8xf32>) outs(%o : tensor<1x6x4x8xf32>) {scale = 0x7F800000 : f32} -> tensor<1x6x4x8xf32>
  return
}

// -----

// expected-error @+1 {{expected between 1 and 4096 rows in a tile, got 0}}
func.func private @f(tensor<8x32x!bitnet.ternary, #bitnet.packing<planes2, rows = 0>>)

// -----

// expected-error @+1 {{expected a unit of 4 or 8 bytes, got 5}}
func.func private @f(tensor<8x32x!bitnet.ternary, #bitnet.packing<planes2, rows = 8, unit = 5>>)

// -----

// expected-error @+1 {{packing planes1 does not hold elements of type '!bitnet.ternary'}}
func.func private @f(tensor<8x32x!bitnet.ternary, #bitnet.packing<planes1, rows = 8>>)

// -----

// expected-error @+1 {{packing base3 does not hold elements of type '!bitnet.binary'}}
func.func private @f(tensor<8x40x!bitnet.binary, #bitnet.packing<base3, rows = 8>>)

// -----

// expected-error @+1 {{a packing needs static extents}}
func.func private @f(tensor<?x32x!bitnet.ternary, #bitnet.packing<planes2, rows = 8>>)

// -----

func.func @f() {
  // expected-error @+1 {{value must hold 3 bytes of codes, got 2}}
  %0 = bitnet.constant dense_resource<t> : tensor<2x6x!bitnet.ternary>
  return
}

{-#
  dialect_resources: {
    builtin: {
      t: "0x400000005566"
    }
  }
#-}

// -----

func.func @f(%q: tensor<4x6xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>) {
  // expected-error @+1 {{operand 'lhs' of type 'tensor<4x6xi8>' must have at least 16 columns}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x6xi8>, tensor<256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>) {
  // expected-error @+1 {{attribute 'magnitude' must be positive, and beside integers}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi8>, tensor<256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, magnitude = 0 : i64} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>, %p: tensor<4x256xi8>) {
  // expected-error @+1 {{has prepared activations, which needs a packing of planes and the lowering 'lut' or 'popcount'}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi8>, tensor<256xi8>) prepared(%p : tensor<4x256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x20xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>, %p: tensor<4x256xi8>) {
  // expected-error @+1 {{has prepared activations, which needs a packing of planes and the lowering 'lut' or 'popcount'}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x20xi8>, tensor<256xi8>) prepared(%p : tensor<4x256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<base3, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>, %p: tensor<4x255xi8>) {
  // expected-error @+1 {{operand 'prepared' of type 'tensor<4x255xi8>' must have extent 256 in dimension 1}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi8>, tensor<256xi8>) prepared(%p : tensor<4x255xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>, %p: tensor<4x256xi16>) {
  // expected-error @+1 {{operand 'prepared' of type 'tensor<4x256xi16>' must have elements of type i8}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi8>, tensor<256xi8>) prepared(%p : tensor<4x256xi16>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi16>, %w: tensor<256xi8>, %o: tensor<4x2xi32>, %p: tensor<4x256xi8>) {
  // expected-error @+1 {{operand 'lhs' of type 'tensor<4x16xi16>' must have elements of type i8}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi16>, tensor<256xi8>) prepared(%p : tensor<4x256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>, %p: tensor<4x2xi32>) {
  // expected-error @+1 {{needs magnitude 1 beside the lowering 'popcount'}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi8>, tensor<256xi8>) prepared(%p : tensor<4x2xi32>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<popcount>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%x: tensor<4x16xf32>, %v: tensor<4x16xi8>, %t: tensor<4xf32>, %u: tensor<4xi32>, %w: tensor<256xi8>, %o: tensor<4x2xi32>) {
  %q:3 = bitnet.quantize ins(%x : tensor<4x16xf32>) outs(%v, %t, %u : tensor<4x16xi8>, tensor<4xf32>, tensor<4xi32>) {bound = 127.0 : f32, epsilon = 0.0 : f32, qmin = -2 : i64, qmax = 1 : i64} -> tensor<4x16xi8>, tensor<4xf32>, tensor<4xi32>
  // expected-error @+1 {{attribute 'magnitude' is 1, but the quantiser's range exceeds it}}
  %0 = bitnet.matmul ins(%q#0, %w : tensor<4x16xi8>, tensor<256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, magnitude = 1 : i64} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>) {
  // expected-error @+1 {{attribute 'token_blocks' needs prepared activations}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi8>, tensor<256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 8>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %w: tensor<256xi8>, %o: tensor<4x2xi32>, %p: tensor<4x256xi8>) {
  // expected-error @+1 {{attribute 'token_blocks' must be powers of two from 64 to 8, each less than the one before}}
  %0 = bitnet.matmul ins(%q, %w : tensor<4x16xi8>, tensor<256xi8>) prepared(%p : tensor<4x256xi8>) outs(%o : tensor<4x2xi32>) {packing = #bitnet.packing<planes2, rows = 64>, rows = 2 : i64, columns = 6 : i64, lowering = #bitnet.lowering<lut>, token_blocks = array<i64: 8, 16>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %o: tensor<4x256xi8>) {
  // expected-error @+1 {{attribute 'token_blocks' must be powers of two from 64 to 8, each less than the one before}}
  %0 = bitnet.prepare ins(%q : tensor<4x16xi8>) outs(%o : tensor<4x256xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>, token_blocks = array<i64: 12>} -> tensor<4x256xi8>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %o: tensor<4x2xi32>) {
  // expected-error @+1 {{attribute 'token_blocks' needs the lowering 'lut'}}
  %0 = bitnet.prepare ins(%q : tensor<4x16xi8>) outs(%o : tensor<4x2xi32>) {lowering = #bitnet.lowering<popcount>, packing = #bitnet.packing<planes2, rows = 64>, token_blocks = array<i64: 8>} -> tensor<4x2xi32>
  return
}

// -----

func.func @f(%q: tensor<4x20xi8>, %o: tensor<4x256xi8>) {
  // expected-error @+1 {{attribute 'lowering' must be lut or popcount, and the packing one of planes}}
  %0 = bitnet.prepare ins(%q : tensor<4x20xi8>) outs(%o : tensor<4x256xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<base3, rows = 64>} -> tensor<4x256xi8>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %o: tensor<4x256xi8>) {
  // expected-error @+1 {{attribute 'lowering' must be lut or popcount, and the packing one of planes}}
  %0 = bitnet.prepare ins(%q : tensor<4x16xi8>) outs(%o : tensor<4x256xi8>) {lowering = #bitnet.lowering<dot>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<4x256xi8>
  return
}

// -----

func.func @f(%q: tensor<4x16xf32>, %o: tensor<4x256xi8>) {
  // expected-error @+1 {{operand 'input' of type 'tensor<4x16xf32>' must have elements of type i8}}
  %0 = bitnet.prepare ins(%q : tensor<4x16xf32>) outs(%o : tensor<4x256xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<4x256xi8>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %o: tensor<4x300xi8>) {
  // expected-error @+1 {{operand 'output' of type 'tensor<4x300xi8>' must have a static multiple of 256 columns}}
  %0 = bitnet.prepare ins(%q : tensor<4x16xi8>) outs(%o : tensor<4x300xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<4x300xi8>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %o: tensor<4x3xi32>) {
  // expected-error @+1 {{operand 'output' of type 'tensor<4x3xi32>' must have a static multiple of 2 columns}}
  %0 = bitnet.prepare ins(%q : tensor<4x16xi8>) outs(%o : tensor<4x3xi32>) {lowering = #bitnet.lowering<popcount>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<4x3xi32>
  return
}

// -----

func.func @f(%q: tensor<4x31xi8>, %o: tensor<4x512xi8>) {
  // expected-error @+1 {{operand 'input' of type 'tensor<4x31xi8>' must have at least 32 columns}}
  %0 = bitnet.prepare ins(%q : tensor<4x31xi8>) outs(%o : tensor<4x512xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<4x512xi8>
  return
}

// -----

func.func @f(%q: tensor<4x16xi8>, %o: tensor<3x256xi8>) {
  // expected-error @+1 {{operand 'output' of type 'tensor<3x256xi8>' must have extent 4 in dimension 0}}
  %0 = bitnet.prepare ins(%q : tensor<4x16xi8>) outs(%o : tensor<3x256xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<3x256xi8>
  return
}

// -----

func.func @f(%q: tensor<4x?xi8>, %o: tensor<4x256xi8>) {
  // expected-error @+1 {{operand 'input' of type 'tensor<4x?xi8>' must have a static number of columns}}
  %0 = bitnet.prepare ins(%q : tensor<4x?xi8>) outs(%o : tensor<4x256xi8>) {lowering = #bitnet.lowering<lut>, packing = #bitnet.packing<planes2, rows = 64>} -> tensor<4x256xi8>
  return
}

// -----

func.func @f(%h: tensor<1x8xf32>, %w: tensor<16x8xbf16>, %n: tensor<1xi64>, %p: tensor<16x64xi8>, %q: tensor<16x4xi8>, %s: tensor<16xf32>,
             %b: tensor<2x16xf32>, %l: tensor<1x16xf32>) {
  // expected-error @+1 {{operand 'high' of type 'tensor<16x4xi8>' must have extent 64 in dimension 1}}
  %0:3 = bitnet.top_logits ins(%h, %w, %n : tensor<1x8xf32>, tensor<16x8xbf16>, tensor<1xi64>)
      screen(%q, %p, %s, %b : tensor<16x4xi8>, tensor<16x64xi8>, tensor<16xf32>, tensor<2x16xf32>)
      outs(%l, %s, %n : tensor<1x16xf32>, tensor<16xf32>, tensor<1xi64>) -> tensor<1x16xf32>, tensor<16xf32>, tensor<1xi64>
  return
}

// -----

func.func @f(%h: tensor<1x8xf32>, %w: tensor<16x8xi8>, %n: tensor<1xi64>, %p: tensor<16x64xi8>, %s: tensor<16xf32>,
             %b: tensor<2x16xf32>, %l: tensor<1x16xf32>) {
  // expected-error @+1 {{operand 'weight' of type 'tensor<16x8xi8>' must have floats as elements}}
  %0:3 = bitnet.top_logits ins(%h, %w, %n : tensor<1x8xf32>, tensor<16x8xi8>, tensor<1xi64>)
      screen(%p, %p, %s, %b : tensor<16x64xi8>, tensor<16x64xi8>, tensor<16xf32>, tensor<2x16xf32>)
      outs(%l, %s, %n : tensor<1x16xf32>, tensor<16xf32>, tensor<1xi64>) -> tensor<1x16xf32>, tensor<16xf32>, tensor<1xi64>
  return
}

// -----

func.func @wide_cache(%n: tensor<1x2x1x8xf32>, %c: tensor<1x2x8x8xf64>, %p: index) {
  // expected-error @+1 {{operand 'output' of type 'tensor<1x2x8x8xf64>' must have elements of type f32, f16 or bf16}}
  %0 = bitnet.cache_update ins(%n, %p : tensor<1x2x1x8xf32>, index) outs(%c : tensor<1x2x8x8xf64>) -> tensor<1x2x8x8xf64>
  return
}

// -----

func.func @integer_values(%q: tensor<1x6x4x8xf32>, %k: tensor<1x2x9x8xf16>, %v: tensor<1x2x9x8xi16>, %o: tensor<1x6x4x8xf32>) {
  // expected-error @+1 {{operand 'value' of type 'tensor<1x2x9x8xi16>' must have elements of type f32, f16 or bf16}}
  %0 = bitnet.attention ins(%q, %k, %v : tensor<1x6x4x8xf32>, tensor<1x2x9x8xf16>, tensor<1x2x9x8xi16>) outs(%o : tensor<1x6x4x8xf32>) {scale = 1.0 : f32} -> tensor<1x6x4x8xf32>
  return
}

// -----

func.func @narrow_query(%q: tensor<1x6x4x8xf16>, %k: tensor<1x2x9x8xf16>, %o: tensor<1x6x4x8xf32>) {
  // expected-error @+1 {{operand 'query' of type 'tensor<1x6x4x8xf16>' must have elements of type f32}}
  %0 = bitnet.attention ins(%q, %k, %k : tensor<1x6x4x8xf16>, tensor<1x2x9x8xf16>, tensor<1x2x9x8xf16>) outs(%o : tensor<1x6x4x8xf32>) {scale = 1.0 : f32} -> tensor<1x6x4x8xf32>
  return
}

// -----

func.func @fetch() -> index {
  // expected-error @+2 {{expected ::bitnet::Fetch to be one of: far, near}}
  // expected-error @+1 {{failed to parse BitNet_FetchAttr parameter 'value'}}
  %0 = bitnet.fetch_distance <middle>
  return %0 : index
}
