# The fuzzer of tokenizer files. QuireText follows the instrumented copies of its own sources, so only
# the libraries that it brings along are taken from it.
quire_fuzzer(QuireTokenizerFuzz TokenizerFuzz.cpp LIBRARIES QuireText)
target_link_libraries(QuireTokenizerFuzz PRIVATE QuireText nlohmann_json::nlohmann_json)
