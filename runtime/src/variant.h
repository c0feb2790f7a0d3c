/*===- variant.h - Which variants run, and which is best -----------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_SRC_VARIANT_H
#define BITNET_SRC_VARIANT_H

#include "model.h"

/* Fills in whether each variant runs here, and what is in its way. */
int32_t bn_judge_variants(bn_model *model, bn_status *status);

/* The variant of that name, or the best where it is NULL: on a device, if that
   is not a processor that plays one; else for the CPU; and in the manifest's
   order. */
int32_t bn_choose_variant(const bn_model *model, const char *name,
                          uint32_t *variant, bn_status *status);

#endif /* BITNET_SRC_VARIANT_H */
