/*===- code.c - Loading an artifact's code -------------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "artifact.h"

#include "status.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint16_t bn_machine_of_process(void) {
#if defined(__x86_64__)
  return EM_X86_64;
#elif defined(__aarch64__)
  return EM_AARCH64;
#elif defined(__riscv)
  return EM_RISCV;
#else
  return EM_NONE;
#endif
}

const char *bn_machine_name(uint16_t machine) {
  switch (machine) {
  case EM_X86_64:
    return "x86_64";
  case EM_AARCH64:
    return "aarch64";
  case EM_RISCV:
    return "riscv64";
  default:
    return NULL;
  }
}

/* Whether the code that `handle` loaded is that of `file`. The dynamic linker
   knows libraries by their names, and so answers with an older one where the
   file was replaced while that was loaded. Code and read-only data are never
   relocated: they must equal the file's. */
static bool is_loaded_from(void *handle, const bn_file *file) {
  struct link_map *loaded = NULL;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &loaded) != 0)
    return false;
  bn_bytes image = file->image;
  Elf64_Ehdr header;
  memcpy(&header, image.data, sizeof(header));
  if (header.e_phentsize != sizeof(Elf64_Phdr) ||
      header.e_phoff > image.count ||
      header.e_phnum * sizeof(Elf64_Phdr) > image.count - header.e_phoff)
    return false;
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, image.data + header.e_phoff + i * sizeof(segment),
           sizeof(segment));
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W))
      continue;
    if (segment.p_offset > image.count ||
        segment.p_filesz > image.count - segment.p_offset)
      return false;
    const void *memory =
        (const void *)(uintptr_t)(loaded->l_addr + segment.p_vaddr);
    if (memcmp(memory, image.data + segment.p_offset, segment.p_filesz) != 0)
      return false;
  }
  return true;
}

/* dlopen, or NULL where that gives other code than the file's. `is_other` says
   which. */
static void *load_exactly(const char *name, const bn_file *file,
                          bool *is_other) {
  void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  *is_other = handle && !is_loaded_from(handle, file);
  if (!*is_other)
    return handle;
  dlclose(handle);
  return NULL;
}

int32_t bn_code_load(const char *path, const bn_file *file,
                     bn_code_object *code, bn_status *status) {
  memset(code, 0, sizeof(*code));
  bool is_other = false;
  /* Only a name with a slash is a path to the dynamic linker. */
  char *name = realpath(path, NULL);
  if (name)
    code->handle = load_exactly(name, file, &is_other);
  free(name);
  if (!name || is_other) {
    /* The file was replaced or removed since; its descriptor still leads to
       it. */
    char descriptor[40];
    snprintf(descriptor, sizeof(descriptor), "/proc/self/fd/%d",
             file->descriptor);
    code->handle = load_exactly(descriptor, file, &is_other);
  }
  if (is_other)
    return bn_report(status, BN_FAILED,
                     "%s: an older version of this file is still loaded; close "
                     "it first",
                     path);
  if (!code->handle) {
    const char *reason = dlerror();
    return bn_report(status, BN_FAILED, "%s: its code cannot be loaded: %s",
                     path, reason ? reason : "unknown reason");
  }
  /* POSIX's way around ISO C, which has no cast from void * to a function. */
  *(void **)&code->query = dlsym(code->handle, BN_QUERY_SYMBOL);
  if (!code->query) {
    bn_code_unload(code);
    return bn_report(status, BN_CORRUPT,
                     "%s: not a bitnet artifact (it does not export %s)", path,
                     BN_QUERY_SYMBOL);
  }
  return BN_OK;
}

void bn_code_unload(bn_code_object *code) {
  if (code->handle)
    dlclose(code->handle);
  memset(code, 0, sizeof(*code));
}
