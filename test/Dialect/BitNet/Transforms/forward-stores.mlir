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
