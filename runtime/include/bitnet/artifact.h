/*===- bitnet/artifact.h - What compiler and runtime agree on ------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*
 *
 * The binary interface of a compiled model. An artifact is an ELF64 shared
 * object without imports, to which these sections, none of them loaded by the
 * dynamic linker, are added behind the linked image:
 *
 *   .bitnet.manifest    what the model is: signature, variants, entries
 *   .bitnet.tokenizer   tokenizer.json as given to the compiler (may be absent)
 *   .bitnet.archive     the weights, page-aligned, each entry 64-byte aligned
 *
 * The file ends with a bn_seal, which covers every byte before it.
 *
 * Manifest encoding: little-endian, packed, in the order below. `str` is a u32
 * byte count followed by that many bytes of UTF-8; `list<T>` is a u32 count
 * followed by that many T.
 *
 *   u32 magic              BN_MANIFEST_MAGIC
 *   u32 version            BN_ABI_VERSION
 *   str producer
 *   str triple             of the code, such as x86_64-unknown-linux-gnu
 *   u64 archive_bytes
 *   u64 weight_bytes       the archive without padding
 *   i64 max_context        0: no cache
 *   i64 vocabulary         0: no logits
 *   list<str> tokens_stop  decimal token ids that end a text
 *   list<variant>          in the order of preference, the best last
 *   list<state>            one per cache tensor
 *   list<entry>
 *
 *   variant := str name, list<str> features (LLVM's spelling)
 *   state   := str name, u64 bytes
 *   entry   := str name, u32 kind, i64 tokens, u64 workspace_bytes,
 *              u64 macs (multiply-adds of a call's matmuls; 0: unknown),
 *              list<tensor> inputs, list<tensor> outputs
 *   tensor  := str name, u32 dtype (ONNX TensorProto.DataType), list<dim>
 *   dim     := i64 extent (-1: dynamic), str symbol ("" where fixed)
 *
 *===----------------------------------------------------------------------===*/

#ifndef BITNET_ARTIFACT_H
#define BITNET_ARTIFACT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define BN_ABI_VERSION 1u
#define BN_MANIFEST_MAGIC 0x314D4E42u     /* "BNM1" */
#define BN_SEAL_MAGIC 0x4C414553544E42ull /* "BNTSEAL" */
#define BN_MAX_RANK 8
#define BN_ALIGNMENT 64 /* of workspaces, states and archive entries */
#define BN_ARCHIVE_ALIGNMENT 4096 /* of the archive in the file */

/* The last bytes of an artifact. */
typedef struct bn_seal {
  uint64_t magic;
  uint64_t file_bytes; /* size of the whole file, the seal included */
  uint64_t digest;     /* XXH3-64 of every byte before the seal */
} bn_seal;

/* Runs task(context, begin, end) over disjoint ranges that cover [0, count). */
typedef void (*bn_task_fn)(void *context, int64_t begin, int64_t end);

/* What compiled code may ask of its host. */
typedef struct bn_environment {
  uint32_t struct_size;
  uint32_t abi_version;
  void *user; /* handed back to the callbacks */
  /* BN_ALIGNMENT-aligned memory that lives until the call returns its outputs
     to the host and the next call on the session begins; NULL if exhausted. */
  void *(*allocate)(void *user, uint64_t bytes);
  /* Gives memory back early. */
  void (*release)(void *user, void *pointer);
  void (*parallel_for)(void *user, bn_task_fn task, void *context,
                       int64_t count);
} bn_environment;

/* A dense row-major tensor; the rank and the dtype are the manifest's. */
typedef struct bn_buffer {
  void *data;
  int64_t shape[BN_MAX_RANK];
} bn_buffer;

typedef enum bn_entry_kind {
  BN_ENTRY_MAIN = 0,   /* the ONNX model's own inputs and outputs */
  BN_ENTRY_CACHED = 1, /* `tokens` token ids in (int64 [1, tokens]), logits out
                          (f32 [1, tokens, vocabulary]); reads and extends the
                          states from call->position on. Rows of padding at the
                          end of a chunk change nothing before them, and lie
                          within max_context. One input, one output; tokens is
                          in [1, max_context]. */
} bn_entry_kind;

/* The arguments of an entry. */
typedef struct bn_call {
  uint32_t struct_size;
  uint32_t reserved;
  const bn_environment *environment;
  const void *archive;
  void *workspace;     /* entry.workspace_bytes, BN_ALIGNMENT-aligned */
  void *const *states; /* one pointer per manifest state, BN_ALIGNMENT-aligned;
                          zeros when a session begins */
  const bn_buffer *inputs;
  bn_buffer *outputs; /* filled by the entry: data lies in the workspace or in
                         environment memory, or is an input's */
  int64_t position;   /* tokens already in the states */
} bn_call;

typedef enum bn_entry_result {
  BN_ENTRY_OK = 0,
  BN_ENTRY_OUT_OF_MEMORY = 1,
  BN_ENTRY_BAD_SHAPE = 2, /* the inputs' shapes do not fit together */
  BN_ENTRY_BAD_INDEX = 3, /* an index (a token id, say) is out of range */
} bn_entry_result;

typedef int32_t (*bn_entry_fn)(const bn_call *call);

/* The one exported symbol, "bitnet_query": the entry's code in the variant
 * (both are indices into the manifest's lists), or NULL where the version or an
 * index is unknown. */
typedef bn_entry_fn (*bn_query_fn)(uint32_t abi_version, uint32_t variant,
                                   uint32_t entry);
#define BN_QUERY_SYMBOL "bitnet_query"

#ifdef __cplusplus
}
#endif
#endif /* BITNET_ARTIFACT_H */
