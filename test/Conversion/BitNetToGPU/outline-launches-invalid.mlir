// RUN: bitnet-opt %s --bitnet-outline-launches -verify-diagnostics

func.func @main(%x: memref<2080374785xi8>) attributes {bitnet.entry} {
  call @clear(%x) : (memref<2080374785xi8>) -> ()
  return
}
func.func private @clear(%x: memref<2080374785xi8>) attributes {bitnet.kernel} {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i8
  // expected-error@+1 {{a buffer of 2080374785 elements, 'memref<2080374785xi8>', cannot be compiled for a GPU: its kernels can index 2080374784}}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%sx = %c1, %sy = %c1, %sz = %c1) {
    memref.store %zero, %x[%tx] : memref<2080374785xi8>
    gpu.terminator
  }
  return
}
