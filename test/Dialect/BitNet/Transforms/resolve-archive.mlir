// RUN: bitnet-opt %s --bitnet-plan-memory --bitnet-resolve-archive | FileCheck %s
// RUN: bitnet-opt %s --bitnet-resolve-archive --verify-diagnostics

// CHECK-LABEL: func @main
// CHECK-SAME: (%[[ARCHIVE:.*]]: memref<?xi8>, %{{.*}}: memref<?xi8>)
// CHECK: %[[OFFSET:.*]] = arith.constant 4096 : index
// CHECK: %[[W:.*]] = memref.view %[[ARCHIVE]][%[[OFFSET]]][] : memref<?xi8> to memref<8x4xf32>
// CHECK: call @use(%[[W]])
func.func private @use(memref<8x4xf32>)
func.func @main() attributes {bitnet.entry} {
  // expected-error @+1 {{its function has no archive argument; bitnet-plan-memory adds it}}
  %w = bitnet.archive "w" at 4096 : memref<8x4xf32>
  call @use(%w) : (memref<8x4xf32>) -> ()
  return
}
