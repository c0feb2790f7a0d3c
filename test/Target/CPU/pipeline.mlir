// RUN: bitnet-opt %s -bitnet-phase-llvm | FileCheck %s --implicit-check-not="{{[[:space:]]vector[.]}}" --implicit-check-not="{{[[:space:]]memref[.]}}" --implicit-check-not=unrealized_conversion_cast --implicit-check-not="{{[[:space:]]scf[.]}}"

// CHECK: llvm.func @main(%{{.*}}: !llvm.ptr) -> i32 attributes {bitnet.entry}
// CHECK: llvm.func @rows_body({{.*}}!llvm.ptr, %{{.*}}: !llvm.ptr {llvm.noalias, llvm.nonnull, llvm.noundef}, %{{.*}}: i64, %{{.*}}: i64)
// CHECK: llvm.func internal @rows_task(%{{.*}}: !llvm.ptr, %{{.*}}: i64, %{{.*}}: i64)
func.func @main(%archive: memref<?xi8>, %workspace: memref<?xi8>, %x: memref<64x64xf32>) -> memref<64x64xf32>
    attributes {bitnet.entry} {
  call @rows(%x) : (memref<64x64xf32>) -> ()
  return %x : memref<64x64xf32>
}

func.func private @rows(%x: memref<64x64xf32> {llvm.noalias}) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  %c64 = arith.constant 64 : index
  %pad = arith.constant 0.0 : f32
  %zero = arith.constant dense<0.0> : vector<4xf32>
  scf.parallel (%i) = (%c0) to (%c64) step (%c4) {
    %v = vector.transfer_read %x[%i, %c0], %pad {in_bounds = [true, true]} : memref<64x64xf32>, vector<4x64xf32>
    %e = math.exp %v : vector<4x64xf32>
    %r = vector.multi_reduction <add>, %e, %zero [1] : vector<4x64xf32> to vector<4xf32>
    %b = vector.broadcast %r : vector<4xf32> to vector<64x4xf32>
    %t = vector.transpose %b, [1, 0] : vector<64x4xf32> to vector<4x64xf32>
    %s = vector.shape_cast %t : vector<4x64xf32> to vector<256xf32>
    %bytes = vector.bitcast %s : vector<256xf32> to vector<1024xi8>
    %floats = vector.bitcast %bytes : vector<1024xi8> to vector<256xf32>
    %o = vector.shape_cast %floats : vector<256xf32> to vector<4x64xf32>
    vector.transfer_write %o, %x[%i, %c0] {in_bounds = [true, true]} : vector<4x64xf32>, memref<64x64xf32>
    scf.reduce
  }
  return
}
