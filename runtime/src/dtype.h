/*===- dtype.h - Types of elements ---------------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_DTYPE_H
#define BITNET_SRC_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

/* Of ONNX's TensorProto.DataType. */

const char *bn_dtype_name(uint32_t dtype);
/* 0 for strings, and for types that are not known. */
uint32_t bn_dtype_bytes(uint32_t dtype);

/* The bytes of a dense tensor; false where no memory could hold it. */
bool bn_tensor_bytes(uint32_t dtype, const int64_t *shape, uint32_t rank,
                     uint64_t *bytes);

#endif /* BITNET_SRC_DTYPE_H */
