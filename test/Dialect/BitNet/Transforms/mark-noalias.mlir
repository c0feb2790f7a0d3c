// RUN: bitnet-opt %s --bitnet-mark-noalias | FileCheck %s

// CHECK: @kernel_apart(memref<4xf32> {llvm.noalias}, memref<4xf32> {llvm.noalias}, index)
func.func private @kernel_apart(memref<4xf32>, memref<4xf32>, index) attributes {bitnet.kernel}
// Apart in the first call, the same buffer in the second.
// CHECK: @kernel_once(memref<4xf32>, memref<4xf32>, memref<4xf32> {llvm.noalias})
func.func private @kernel_once(memref<4xf32>, memref<4xf32>, memref<4xf32>) attributes {bitnet.kernel}
// CHECK: @kernel_halves(memref<4xf32, strided<[1]>>, memref<4xf32, strided<[1], offset: 4>>)
func.func private @kernel_halves(memref<4xf32, strided<[1]>>, memref<4xf32, strided<[1], offset: 4>>) attributes {bitnet.kernel}
// CHECK: @kernel_weights(memref<4xf32>, memref<4xf32>, memref<4xf32> {llvm.noalias})
func.func private @kernel_weights(memref<4xf32>, memref<4xf32>, memref<4xf32>) attributes {bitnet.kernel}
// CHECK: @helper(memref<4xf32>)
func.func private @helper(memref<4xf32>)

func.func @main(%x: memref<4xf32>, %n: index) attributes {bitnet.entry} {
  %a = memref.alloc() : memref<8xf32>
  %b = memref.alloc() : memref<4xf32>
  %c = memref.alloc() : memref<2x2xf32>
  %v = memref.collapse_shape %c [[0, 1]] : memref<2x2xf32> into memref<4xf32>
  %lo = memref.subview %a[0] [4] [1] : memref<8xf32> to memref<4xf32, strided<[1]>>
  %hi = memref.subview %a[4] [4] [1] : memref<8xf32> to memref<4xf32, strided<[1], offset: 4>>
  %w0 = bitnet.archive "w" at 0 : memref<4xf32>
  %w1 = bitnet.archive "w" at 0 : memref<4xf32>
  call @kernel_apart(%x, %b, %n) : (memref<4xf32>, memref<4xf32>, index) -> ()
  call @kernel_once(%x, %b, %v) : (memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
  call @kernel_once(%b, %b, %v) : (memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
  call @kernel_halves(%lo, %hi) : (memref<4xf32, strided<[1]>>, memref<4xf32, strided<[1], offset: 4>>) -> ()
  call @kernel_weights(%w0, %w1, %x) : (memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
  call @helper(%b) : (memref<4xf32>) -> ()
  return
}
