# The importer's fuzzers. They share one instrumented build of the importer; what it stands on (MLIR,
# the graph dialect, the reader of safetensors, which has its own fuzzer) is not, so containers that
# cross into it cannot be watched for overflow into spare capacity
# (run with ASAN_OPTIONS=detect_container_overflow=0).
if(NOT TARGET QuireImport)
  return()
endif()
find_package(Threads REQUIRED)
get_target_property(files QuireImport SOURCES)
get_target_property(folder QuireImport SOURCE_DIR)
list(TRANSFORM files PREPEND ${folder}/ OUTPUT_VARIABLE sources)
add_library(QuireImportFuzzObjects OBJECT ${sources})
add_dependencies(QuireImportFuzzObjects QuireGraphIncGen)
function(quire_import_fuzz_settings name)
  target_include_directories(${name} SYSTEM PRIVATE
    ${MLIR_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS} ${CMAKE_BINARY_DIR})
  target_compile_definitions(${name} PRIVATE QUIRE_MODELS_FOLDER="${CMAKE_SOURCE_DIR}/models"
    QUIRE_GOLDEN_FOLDER="${CMAKE_SOURCE_DIR}/tests/golden/models")
  # Debian's MLIR carries no run-time type information for "vptr" and "function" to compare.
  target_compile_options(${name} PRIVATE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize=vptr,function -fno-sanitize-recover=all -g1 -O1)
endfunction()
quire_import_fuzz_settings(QuireImportFuzzObjects)
foreach(fuzzer Config Template)
  add_executable(Quire${fuzzer}Fuzz ${fuzzer}Fuzz.cpp)
  quire_import_fuzz_settings(Quire${fuzzer}Fuzz)
  target_link_options(Quire${fuzzer}Fuzz PRIVATE -fsanitize=fuzzer,address,undefined)
  target_link_libraries(Quire${fuzzer}Fuzz PRIVATE QuireImportFuzzObjects QuireGraphDialect
    QuireWeights Threads::Threads)
  add_dependencies(fuzzers Quire${fuzzer}Fuzz)
endforeach()
