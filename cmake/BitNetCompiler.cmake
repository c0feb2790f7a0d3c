# LLVM/MLIR, ONNX and the helpers with which the compiler's libraries are declared.
find_package(MLIR 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/mlir)
find_package(LLD 22.1 REQUIRED CONFIG HINTS /usr/lib/llvm-22/lib/cmake/lld)
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)
find_package(ONNX 1.20 REQUIRED CONFIG)
find_package(Protobuf REQUIRED)
find_package(nlohmann_json REQUIRED)

set(BITNET_COMPILER_INCLUDES
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include
  ${PROJECT_SOURCE_DIR}/runtime/include)

# MLIR's headers cost 15 s a translation unit; one precompiled header serves every library.
add_library(BitNetPCH OBJECT ${PROJECT_SOURCE_DIR}/lib/Support/Precompiled.cpp)
target_precompile_headers(BitNetPCH PRIVATE ${PROJECT_SOURCE_DIR}/lib/Support/Precompiled.h)

function(bitnet_compiler_target name)
  target_include_directories(${name} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_include_directories(${name} PRIVATE ${BITNET_COMPILER_INCLUDES})
  separate_arguments(definitions NATIVE_COMMAND ${LLVM_DEFINITIONS})
  target_compile_definitions(${name} PRIVATE ${definitions})
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions -fno-semantic-interposition>)
endfunction()
bitnet_compiler_target(BitNetPCH)

# bitnet_add_library(NAME source... [DEPENDS target...] [LINK library...])
# A static library of the compiler. DEPENDS names the generated headers that it includes.
function(bitnet_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  bitnet_compiler_target(${name})
  target_precompile_headers(${name} REUSE_FROM BitNetPCH)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
endfunction()

# bitnet_add_tool(NAME source... [LINK library...])
function(bitnet_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  bitnet_compiler_target(${name})
  # The precompiled header was made with -fPIC, not with an executable's -fPIE.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_precompile_headers(${name} REUSE_FROM BitNetPCH)
  target_link_libraries(${name} PRIVATE ${ARG_LINK} MLIR LLVM)
endfunction()
