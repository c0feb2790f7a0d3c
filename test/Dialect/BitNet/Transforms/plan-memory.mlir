// RUN: bitnet-opt %s --bitnet-plan-memory --split-input-file --verify-diagnostics | FileCheck %s
// RUN: bitnet-opt %s --bitnet-plan-memory=alignment=256 --split-input-file --verify-diagnostics | FileCheck %s --check-prefix=WIDE
// RUN: not bitnet-opt %s --bitnet-plan-memory=alignment=48 --split-input-file 2>&1 | FileCheck %s --check-prefix=BAD

// BAD: error: alignment must be a power of two, not 48

func.func private @use(memref<16xf32>)
func.func private @both(memref<16xf32>, memref<16xf32>)

// %a and %c never live together and share bytes; %b, used through views, lives
// with both.
// CHECK-LABEL: func @main
// CHECK-SAME: (%{{.*}}: memref<?xi8>, %[[W:.*]]: memref<?xi8>, %{{.*}}: index)
// CHECK-SAME: bitnet.workspace = 192 : i64
// WIDE: bitnet.workspace = 512 : i64
// CHECK: %[[O1:.*]] = arith.constant 128 : index
// CHECK: %[[A:.*]] = memref.view %[[W]][%[[O1]]][] : memref<?xi8> to memref<16xf32>
// CHECK: %[[O2:.*]] = arith.constant 0 : index
// CHECK: %[[B:.*]] = memref.view %[[W]][%[[O2]]][] : memref<?xi8> to memref<32xf32>
// CHECK: %[[O3:.*]] = arith.constant 128 : index
// CHECK: %[[C:.*]] = memref.view %[[W]][%[[O3]]][] : memref<?xi8> to memref<16xf32>
// CHECK: return
func.func @main(%n: index) attributes {bitnet.entry} {
  %a = memref.alloc() : memref<16xf32>
  call @use(%a) : (memref<16xf32>) -> ()
  %b = memref.alloc() : memref<32xf32>
  %v = memref.subview %b[0] [16] [1] : memref<32xf32> to memref<16xf32, strided<[1]>>
  %vc = memref.cast %v : memref<16xf32, strided<[1]>> to memref<16xf32>
  call @both(%a, %vc) : (memref<16xf32>, memref<16xf32>) -> ()
  %c = memref.alloc() : memref<16xf32>
  call @both(%c, %vc) : (memref<16xf32>, memref<16xf32>) -> ()
  return
}

// -----

func.func private @use(memref<16xf32>)

// A returned buffer keeps its bytes to the end.
// CHECK-LABEL: func @returned
// CHECK-SAME: bitnet.workspace = 128 : i64
func.func @returned() -> memref<4x4xf32> attributes {bitnet.entry} {
  %a = memref.alloc() : memref<16xf32>
  call @use(%a) : (memref<16xf32>) -> ()
  %r = memref.expand_shape %a [[0, 1]] output_shape [4, 4] : memref<16xf32> into memref<4x4xf32>
  %b = memref.alloc() : memref<16xf32>
  call @use(%b) : (memref<16xf32>) -> ()
  return %r : memref<4x4xf32>
}

// -----

func.func private @use(memref<?xf32>)

// Dynamic buffers are freed after the last use through any view, but for the
// returned one.
// CHECK-LABEL: func @dynamic
// CHECK-SAME: bitnet.workspace = 0 : i64
// CHECK: %[[A:.*]] = memref.alloc
// CHECK: %[[R:.*]] = memref.alloc
// CHECK: call @use(%[[R]])
// CHECK: call @use
// CHECK-NEXT: memref.dealloc %[[A]]
// CHECK-NEXT: call @use(%[[R]])
// CHECK-NEXT: return %[[R]]
func.func @dynamic(%n: index) -> memref<?xf32> attributes {bitnet.entry} {
  %a = memref.alloc(%n) : memref<?x4xf32>
  %r = memref.alloc(%n) : memref<?xf32>
  call @use(%r) : (memref<?xf32>) -> ()
  %v = memref.collapse_shape %a [[0, 1]] : memref<?x4xf32> into memref<?xf32>
  call @use(%v) : (memref<?xf32>) -> ()
  call @use(%r) : (memref<?xf32>) -> ()
  return %r : memref<?xf32>
}

// -----

func.func private @use(memref<16xf32>)

// A buffer of a loop's body gets its bytes; one that the loop carries stays.
// CHECK-LABEL: func @loops
// CHECK-SAME: bitnet.workspace = 64 : i64
// CHECK: %[[INIT:.*]] = memref.alloc() : memref<16xf32>
// CHECK: scf.for
// CHECK: memref.view
// CHECK: memref.alloc() : memref<16xf32>
func.func @loops(%n: index, %c0: index, %c1: index) attributes {bitnet.entry} {
  %init = memref.alloc() : memref<16xf32>
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%it = %init) -> memref<16xf32> {
    %t = memref.alloc() : memref<16xf32>
    func.call @use(%t) : (memref<16xf32>) -> ()
    %next = memref.alloc() : memref<16xf32>
    func.call @use(%next) : (memref<16xf32>) -> ()
    scf.yield %next : memref<16xf32>
  }
  call @use(%0) : (memref<16xf32>) -> ()
  return
}

// -----

// CHECK-LABEL: func @helper
// CHECK: memref.alloc() : memref<16xf32>
func.func @helper() -> memref<16xf32> {
  %a = memref.alloc() : memref<16xf32>
  return %a : memref<16xf32>
}

// -----

// expected-error @+1 {{the entry's memory is planned already}}
func.func @twice() attributes {bitnet.entry, bitnet.workspace = 64 : i64} {
  return
}

// -----

func.func private @use(memref<4xi64>)
func.func private @both(memref<16xf32>, memref<2xindex>)
func.func private @last(memref<16xf32>)

// A reshape reads its shape: the buffer of the shape lives until the last one.
// CHECK-LABEL: func @shape_of_reshapes
// CHECK-SAME: bitnet.workspace = 192 : i64
func.func @shape_of_reshapes() attributes {bitnet.entry} {
  %data = memref.alloc() : memref<16xf32>
  %shape = memref.alloc() : memref<2xindex>
  call @both(%data, %shape) : (memref<16xf32>, memref<2xindex>) -> ()
  %other = memref.alloc() : memref<4xi64>
  call @use(%other) : (memref<4xi64>) -> ()
  %late = memref.reshape %data(%shape) : (memref<16xf32>, memref<2xindex>) -> memref<?x?xf32>
  %cast = memref.cast %late : memref<?x?xf32> to memref<4x4xf32>
  %flat = memref.collapse_shape %cast [[0, 1]] : memref<4x4xf32> into memref<16xf32>
  call @last(%flat) : (memref<16xf32>) -> ()
  return
}
