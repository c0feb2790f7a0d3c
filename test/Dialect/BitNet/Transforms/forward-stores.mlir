// RUN: bitnet-opt %s --pass-pipeline='builtin.module(func.func(bitnet-forward-stores))' | FileCheck %s

// CHECK-LABEL: func @forward
// CHECK-SAME: %[[A:.*]]: index, %[[B:.*]]: index
// CHECK: return %[[A]], %[[B]]
func.func @forward(%a: index, %b: index) -> (index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %m = memref.alloc() : memref<2xindex>
  memref.store %a, %m[%c0] : memref<2xindex>
  memref.store %b, %m[%c1] : memref<2xindex>
  %0 = memref.load %m[%c0] : memref<2xindex>
  %1 = memref.load %m[%c1] : memref<2xindex>
  return %0, %1 : index, index
}

// An index that is not known, memory that others see, a loop between: the load stays.
// CHECK-LABEL: func @keep
// CHECK-COUNT-3: memref.load
func.func @keep(%a: index, %i: index, %m: memref<2xindex>) -> (index, index, index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %n = memref.alloc() : memref<2xindex>
  memref.store %a, %n[%c0] : memref<2xindex>
  memref.store %a, %n[%i] : memref<2xindex>
  %0 = memref.load %n[%c0] : memref<2xindex>
  memref.store %a, %m[%c0] : memref<2xindex>
  %1 = memref.load %m[%c0] : memref<2xindex>
  %o = memref.alloc() : memref<2xindex>
  memref.store %a, %o[%c0] : memref<2xindex>
  scf.for %k = %c0 to %i step %c1 {
    memref.store %k, %o[%c0] : memref<2xindex>
  }
  %2 = memref.load %o[%c0] : memref<2xindex>
  return %0, %1, %2 : index, index, index
}

// The check of an index: one number from the host's memory, no op on buffers.
// CHECK-LABEL: func @check
// CHECK-NOT: linalg
// CHECK: memref.load %arg0[%{{.*}}] : memref<1xi64>
// CHECK: arith.minsi
// CHECK-NOT: memref.load
// CHECK: return
func.func @check(%ids: memref<1xi64>) -> i64 {
  %m = arith.constant 9 : i64
  %s = memref.alloc() : memref<i64>
  linalg.fill ins(%m : i64) outs(%s : memref<i64>)
  linalg.generic {indexing_maps = [affine_map<(d0) -> (d0)>, affine_map<(d0) -> ()>], iterator_types = ["reduction"]}
      ins(%ids : memref<1xi64>) outs(%s : memref<i64>) {
  ^bb0(%i: i64, %o: i64):
    %0 = arith.minsi %i, %o : i64
    linalg.yield %0 : i64
  }
  %1 = memref.load %s[] : memref<i64>
  return %1 : i64
}

// What another op reads stays in memory.
// CHECK-LABEL: func @shared
// CHECK: linalg.fill
func.func @shared(%v: f32, %y: memref<8xf32>) {
  %s = memref.alloc() : memref<1xf32>
  linalg.fill ins(%v : f32) outs(%s : memref<1xf32>)
  linalg.generic {indexing_maps = [affine_map<(d0) -> (0)>, affine_map<(d0) -> (d0)>], iterator_types = ["parallel"]}
      ins(%s : memref<1xf32>) outs(%y : memref<8xf32>) {
  ^bb0(%i: f32, %o: f32):
    linalg.yield %i : f32
  }
  return
}

// CHECK-LABEL: func @constant
// CHECK: %[[C:.*]] = arith.constant 5 : index
// CHECK: return %[[C]]
memref.global "private" constant @shape : memref<2xindex> = dense<[4, 5]>
func.func @constant() -> index {
  %c1 = arith.constant 1 : index
  %m = memref.get_global @shape : memref<2xindex>
  %0 = memref.load %m[%c1] : memref<2xindex>
  return %0 : index
}
