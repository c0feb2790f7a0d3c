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
 *   .bitnet.kernels     code for devices: PTX, SPIR-V (may be absent)
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
 *   variant := str name, list<str> features (of the CPU, in LLVM's spelling, or
 *              of the device), u32 device (bn_device_kind), list<kernel>
 *   kernel  := str name, u32 block[3], u32 shared_bytes,
 *              list<u8> arguments (bn_argument_kind), u64 code_offset,
 *              u64 code_bytes (both in .bitnet.kernels)
 *   state   := str name, u64 bytes
 *   entry   := str name, u32 kind, i64 tokens, u64 workspace_bytes,
 *              u64 macs (multiply-adds of a call's matmuls; 0: unknown),
 *              u64 weight_bytes (of the archive, that a call reads),
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

#define BN_ABI_VERSION 4u
#define BN_MANIFEST_MAGIC 0x314D4E42u     /* "BNM1" */
#define BN_SEAL_MAGIC 0x4C414553544E42ull /* "BNTSEAL" */
#define BN_MAX_RANK 8
#define BN_ALIGNMENT 64 /* of workspaces, states, archive entries, kernels */
#define BN_ARCHIVE_ALIGNMENT 4096 /* of the archive in the file */
/* Elements of a buffer that a device's kernels can index: in 32 bits with a
   sign, and with room for the last step of a loop beyond the end. */
#define BN_DEVICE_ELEMENTS ((1ll << 31) - (1ll << 26))

/* The last bytes of an artifact. */
typedef struct bn_seal {
  uint64_t magic;
  uint64_t file_bytes; /* size of the whole file, the seal included */
  uint64_t digest;     /* XXH3-64 of every byte before the seal */
} bn_seal;

/* Where a variant's kernels run. */
typedef enum bn_device_kind {
  BN_DEVICE_NONE = 0,   /* no kernels: all code is the CPU's */
  BN_DEVICE_CUDA = 1,   /* code is PTX text with a NUL at its end */
  BN_DEVICE_VULKAN = 2, /* code is a SPIR-V module */
  BN_DEVICE_ROCM = 3,   /* code is a code object; the runtime cannot run it */
} bn_device_kind;

/* What an argument of a kernel is, and so what its 64 bits hold at a launch.
 *
 * CUDA passes the arguments in their order. Vulkan binds the buffers, counted
 * by themselves, to bindings 0, 1, ... of descriptor set 0, each from its
 * address to the end of its allocation, and passes the other arguments as push
 * constants: 32-bit words in their order without padding, the low word of an
 * i64 first. */
typedef enum bn_argument_kind {
  BN_ARGUMENT_BUFFER = 0, /* a BN_ALIGNMENT-aligned device address */
  BN_ARGUMENT_I32 = 1,    /* in the low half */
  BN_ARGUMENT_I64 = 2,
  BN_ARGUMENT_F32 = 3, /* its bits, in the low half */
} bn_argument_kind;

/* Runs task(context, begin, end) over disjoint ranges that cover [0, count). */
typedef void (*bn_task_fn)(void *context, int64_t begin, int64_t end);

/* Where weights are fetched ahead to. */
typedef enum bn_fetch {
  BN_FETCH_FAR = 0,  /* the second cache */
  BN_FETCH_NEAR = 1, /* the nearest, mostly from the second */
} bn_fetch;

/* What compiled code may ask of its host.
 *
 * In the variant of a device all memory that a bn_call names, its archive,
 * workspace, states, inputs and outputs, and all that `allocate` gives is the
 * device's: pointers hold 64-bit device addresses, which only kernels and the
 * functions below may follow. */
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

  /* NULL but in the variant of a device. Each takes effect after those before
     it, and gives a bn_entry_result, which the entry returns where it is not
     BN_ENTRY_OK. Called from the entry's own thread only. */

  /* Launches the kernel of that index in the variant's list on grid[0] x
     grid[1] x grid[2] workgroups, none where one of them is 0. Each argument
     takes 64 bits. */
  int32_t (*launch)(void *user, uint32_t kernel, const uint32_t *grid,
                    const uint64_t *arguments);
  /* Copies within the device. The ranges do not overlap. */
  int32_t (*copy)(void *user, uint64_t destination, uint64_t source,
                  uint64_t bytes);
  /* Copies to the host, and waits for that; not where it is of an input, which
     the host has. */
  int32_t (*read)(void *user, void *host, uint64_t source, uint64_t bytes);
  /* Copies from the host, whose memory may then change. */
  int32_t (*write)(void *user, uint64_t destination, const void *host,
                   uint64_t bytes);
  /* Whether the device can give a kernel so many elements from an argument's
     address on. Asked before launches with buffers whose extent the compiler
     does not know; of the others, BN_DEVICE_ELEMENTS and the variant's features
     say that they fit. */
  int32_t (*check_buffer)(void *user, uint32_t kernel, uint32_t argument,
                          int64_t elements, uint64_t element_bytes);

  /* How many bytes ahead of their loads kernels fetch weights, by bn_fetch; 0
     where the machine's own prefetching does better. */
  int64_t fetch_distance[2];
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
  BN_ENTRY_FILL = 2,   /* as BN_ENTRY_CACHED, but gives f32 [1, tokens, hidden],
                          what the head takes, and no logits */
  BN_ENTRY_TOP = 3,    /* as BN_ENTRY_CACHED of one token; a second input, int64
                          [1], says how many of the largest logits are wanted:
                          another may be -infinity. A second output, int64 [1],
                          tells how many bytes of the head were read. */
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
  const bn_buffer *inputs; /* never written to */
  bn_buffer *outputs; /* filled by the entry: data lies in the workspace or in
                         environment memory, or is an input's */
  int64_t position;   /* tokens already in the states */
} bn_call;

typedef enum bn_entry_result {
  BN_ENTRY_OK = 0,
  BN_ENTRY_OUT_OF_MEMORY = 1,
  BN_ENTRY_BAD_SHAPE = 2,     /* the inputs' shapes do not fit together */
  BN_ENTRY_BAD_INDEX = 3,     /* an index (a token id, say) is out of range */
  BN_ENTRY_DEVICE_FAILED = 4, /* a device could not do what it was asked */
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
