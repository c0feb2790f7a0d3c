/*===- artifact.c - Opening an artifact's file ---------------------*- C -*-===*
 *
 * Part of bitnet-mlir, under the Apache License v2.0 with LLVM Exceptions.
 * SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
 *
 *===----------------------------------------------------------------------===*/

#include "artifact.h"

#include "status.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

static int32_t map_file(const char *path, bn_file *file, bn_status *status) {
  file->descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (file->descriptor < 0)
    return bn_report(status, BN_IO, "%s: %s", path, strerror(errno));
  struct stat information;
  if (fstat(file->descriptor, &information) != 0)
    return bn_report(status, BN_IO, "%s: %s", path, strerror(errno));
  if (!S_ISREG(information.st_mode))
    return bn_report(status, BN_IO, "%s: not a regular file", path);
  size_t bytes = (size_t)information.st_size;
  if (bytes < sizeof(Elf64_Ehdr) + sizeof(bn_seal))
    return bn_report(status, BN_CORRUPT,
                     "%s: truncated or not a bitnet artifact (%zu bytes)", path,
                     bytes);
  void *data = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, file->descriptor, 0);
  if (data == MAP_FAILED)
    return bn_report(status, BN_IO, "%s: cannot be mapped: %s", path,
                     strerror(errno));
  /* Fewer misses of the TLB, where the file system has large pages. */
  (void)madvise(data, bytes, MADV_HUGEPAGE);
  file->image.data = data;
  file->image.count = bytes;
  return BN_OK;
}

static int32_t check_seal(const char *path, const bn_file *file,
                          bn_status *status) {
  uint64_t covered = file->image.count - sizeof(bn_seal);
  bn_seal seal;
  memcpy(&seal, file->image.data + covered, sizeof(seal));
  if (seal.magic != BN_SEAL_MAGIC || seal.file_bytes != file->image.count)
    return bn_report(status, BN_CORRUPT,
                     "%s: truncated or not a bitnet artifact (no seal at the "
                     "end of the file)",
                     path);
  if (XXH3_64bits(file->image.data, covered) != seal.digest)
    return bn_report(status, BN_CORRUPT,
                     "%s: corrupted: its contents do not match its digest",
                     path);
  return BN_OK;
}

/* The bytes of a section, or false if they lie outside the file. */
static bool section_bytes(const bn_file *file, const Elf64_Shdr *section,
                          bn_bytes *bytes) {
  if (section->sh_type == SHT_NOBITS) {
    *bytes = (bn_bytes){NULL, 0};
    return true;
  }
  if (section->sh_offset > file->image.count ||
      section->sh_size > file->image.count - section->sh_offset)
    return false;
  bytes->data = file->image.data + section->sh_offset;
  bytes->count = section->sh_size;
  return true;
}

static bool section_is_named(bn_bytes names, const Elf64_Shdr *section,
                             const char *name) {
  size_t bytes = strlen(name) + 1;
  return section->sh_name <= names.count &&
         bytes <= names.count - section->sh_name &&
         memcmp(names.data + section->sh_name, name, bytes) == 0;
}

static Elf64_Shdr section_at(const bn_file *file, const Elf64_Ehdr *header,
                             uint32_t index) {
  Elf64_Shdr section;
  memcpy(&section,
         file->image.data + header->e_shoff + index * sizeof(Elf64_Shdr),
         sizeof(section));
  return section;
}

/* Finds the sections that the compiler added. */
static bool find_sections(bn_file *file, const Elf64_Ehdr *header) {
  if (header->e_shentsize != sizeof(Elf64_Shdr) ||
      header->e_shoff > file->image.count ||
      header->e_shnum * sizeof(Elf64_Shdr) >
          file->image.count - header->e_shoff ||
      header->e_shstrndx >= header->e_shnum)
    return false;
  Elf64_Shdr names_header = section_at(file, header, header->e_shstrndx);
  bn_bytes names;
  if (!section_bytes(file, &names_header, &names))
    return false;
  for (uint32_t i = 0; i < header->e_shnum; ++i) {
    Elf64_Shdr section = section_at(file, header, i);
    bn_bytes *bytes = NULL;
    if (section_is_named(names, &section, ".bitnet.manifest"))
      bytes = &file->manifest;
    else if (section_is_named(names, &section, ".bitnet.tokenizer"))
      bytes = &file->tokenizer;
    else if (section_is_named(names, &section, ".bitnet.kernels"))
      bytes = &file->kernels;
    else if (section_is_named(names, &section, ".bitnet.archive"))
      bytes = &file->archive;
    if (bytes && !section_bytes(file, &section, bytes))
      return false;
  }
  /* The archive's own alignment holds in memory too: a mapping begins at a
     page, and pages are no smaller. */
  return file->manifest.data &&
         (uintptr_t)file->archive.data % BN_ARCHIVE_ALIGNMENT == 0;
}

int32_t bn_file_open(const char *path, bn_file *file, bn_status *status) {
  memset(file, 0, sizeof(*file));
  int32_t code = map_file(path, file, status);
  Elf64_Ehdr header;
  if (!code) {
    memcpy(&header, file->image.data, sizeof(header));
    if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 ||
        header.e_ident[EI_DATA] != ELFDATA2LSB)
      code = bn_report(status, BN_CORRUPT,
                       "%s: not a bitnet artifact (not a little-endian ELF64 "
                       "file)",
                       path);
  }
  if (!code)
    code = check_seal(path, file, status);
  if (!code) {
    file->machine = header.e_machine;
    if (!find_sections(file, &header))
      code = bn_report(status, BN_CORRUPT,
                       "%s: not a bitnet artifact (its sections are missing or "
                       "lie outside the file)",
                       path);
  }
  if (code)
    bn_file_close(file);
  return code;
}

void bn_file_close(bn_file *file) {
  if (file->image.data)
    munmap((void *)file->image.data, file->image.count);
  if (file->descriptor >= 0)
    close(file->descriptor);
  memset(file, 0, sizeof(*file));
  file->descriptor = -1;
}
