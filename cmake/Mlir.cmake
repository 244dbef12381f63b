# Finds MLIR and gives the compiler's targets their common settings: the shared MLIR and LLVM
# libraries, their headers as system headers, and one precompiled header for all of them.
if(NOT MLIR_DIR)
  set(MLIR_DIR /usr/lib/llvm-22/lib/cmake/mlir)
endif()
find_package(MLIR 22.1 REQUIRED CONFIG)
list(APPEND CMAKE_MODULE_PATH ${MLIR_CMAKE_DIR} ${LLVM_CMAKE_DIR})
include(TableGen)
include(AddLLVM)
include(AddMLIR)

# One object that every compiler library borrows the precompiled headers from.
file(WRITE ${CMAKE_BINARY_DIR}/mlir_pch.cpp.in "namespace quire { extern const int mlirPch; const int mlirPch = 1; }\n")
configure_file(${CMAKE_BINARY_DIR}/mlir_pch.cpp.in ${CMAKE_BINARY_DIR}/mlir_pch.cpp COPYONLY)
add_library(QuireMlirPch OBJECT ${CMAKE_BINARY_DIR}/mlir_pch.cpp)
set_target_properties(QuireMlirPch PROPERTIES POSITION_INDEPENDENT_CODE OFF)
target_compile_options(QuireMlirPch PRIVATE -fPIC)
target_include_directories(QuireMlirPch SYSTEM PRIVATE ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})
if(QUIRE_PCH)
  if(CMAKE_CXX_COMPILER_ID MATCHES Clang)
    set(QUIRE_PCH_FLAGS -fpch-instantiate-templates)
  endif()
  target_compile_options(QuireMlirPch PRIVATE ${QUIRE_PCH_FLAGS})
  target_precompile_headers(QuireMlirPch PRIVATE
    <mlir/Dialect/Arith/IR/Arith.h> <mlir/Dialect/Func/IR/FuncOps.h>
    <mlir/Dialect/Linalg/IR/Linalg.h> <mlir/Dialect/Math/IR/Math.h>
    <mlir/Dialect/MemRef/IR/MemRef.h> <mlir/Dialect/SCF/IR/SCF.h>
    <mlir/Dialect/Tensor/IR/Tensor.h> <mlir/Dialect/Vector/IR/VectorOps.h>
    <mlir/IR/Builders.h> <mlir/IR/PatternMatch.h> <mlir/Pass/Pass.h>
    <mlir/Interfaces/TilingInterface.h> <mlir/Interfaces/DestinationStyleOpInterface.h>)
endif()

# quire_mlir_library(NAME sources... [LINK libs...]): a static library of the compiler.
function(quire_mlir_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  quire_mlir_target(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK} MLIR LLVM)
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# Settings for any target that includes MLIR headers.
function(quire_mlir_target name)
  # An executable is compiled as a library is, or it could not share the precompiled header.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  target_include_directories(${name} SYSTEM PUBLIC
    ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS} ${CMAKE_BINARY_DIR})
  if(QUIRE_PCH)
    target_compile_options(${name} PRIVATE ${QUIRE_PCH_FLAGS})
    target_precompile_headers(${name} REUSE_FROM QuireMlirPch)
  endif()
endfunction()
