// RUN: bitnet-opt %s -bitnet-lower-entries -split-input-file -verify-diagnostics | FileCheck %s

// CHECK: func.func @main(%[[CALL:.*]]: !llvm.ptr) -> i32 attributes {bitnet.entry}
// The extents named "n" and the static one.
// CHECK-COUNT-2: llvm.icmp "eq"
// CHECK: llvm.cond_br
// CHECK: llvm.call %{{.*}}(%{{.*}}, %{{.*}}) : !llvm.ptr, (!llvm.ptr, i64) -> !llvm.ptr
// CHECK: llvm.mlir.constant(1 : i32)
// CHECK: llvm.mlir.constant(0 : i32)
// CHECK: return
func.func @main(%call: !llvm.ptr, %archive: memref<?xi8>, %workspace: memref<?xi8>,
    %x: memref<?x4xf32> {onnx.dims = ["n", ""]}, %y: memref<?xf32> {onnx.dims = ["n"]}) -> memref<?xf32>
    attributes {bitnet.entry} {
  %c0 = arith.constant 0 : index
  %n = memref.dim %x, %c0 : memref<?x4xf32>
  %r = memref.alloc(%n) : memref<?xf32>
  return %r : memref<?xf32>
}

// -----

// With a position, states come from the call's states, else they are inputs.
// CHECK: func.func @decode
// CHECK: llvm.getelementptr %{{.*}}[56]
// CHECK: llvm.getelementptr %{{.*}}[32]
// CHECK: llvm.getelementptr %{{.*}}[16]
func.func @decode(%call: !llvm.ptr, %archive: memref<?xi8>, %workspace: memref<?xi8>, %position: index,
    %cache: memref<8xf32> {bitnet.state = 2 : i64}) -> memref<8xf32> attributes {bitnet.entry} {
  return %cache : memref<8xf32>
}

// -----

// A kernel's small allocation moves to the stack, before any loop.
// CHECK: func.func private @kernel
// CHECK-NEXT: memref.alloca() {alignment = 64 : i64} : memref<16xf32>
// CHECK: cf.br
// CHECK-NOT: memref.dealloc
func.func private @kernel(%call: !llvm.ptr, %i: index) {
  cf.br ^next
^next:
  %m = memref.alloc() : memref<16xf32>
  %v = memref.load %m[%i] : memref<16xf32>
  memref.dealloc %m : memref<16xf32>
  return
}

// -----

func.func private @kernel(%call: !llvm.ptr, %n: index) {
  // expected-error @below {{a kernel may allocate at most 65536 bytes, of static size}}
  %m = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

func.func private @kernel(%call: !llvm.ptr, %ok: i1) {
  // expected-error @below {{a kernel cannot report a failed assertion}}
  cf.assert %ok, "index"
  return
}

// -----

// expected-error @below {{argument #3 of an entry must be a memref of the plain layout, not 'f32'}}
func.func @main(%call: !llvm.ptr, %archive: memref<?xi8>, %workspace: memref<?xi8>, %x: f32)
    attributes {bitnet.entry} {
  return
}

// -----

func.func @main(%call: !llvm.ptr, %archive: memref<?xi8>, %workspace: memref<?xi8>,
    %x: memref<4x4xf32>) -> memref<4x2xf32, strided<[4, 1]>> attributes {bitnet.entry} {
  %v = memref.subview %x[0, 0] [4, 2] [1, 1] : memref<4x4xf32> to memref<4x2xf32, strided<[4, 1]>>
  // expected-error @below {{result #0 of an entry must be a dense memref, not 'memref<4x2xf32, strided<[4, 1]>>'}}
  return %v : memref<4x2xf32, strided<[4, 1]>>
}
