# cmake -DOUTPUT=FILE -DPREFIX=quire/ -DFILES="a;b" -P EmbedText.cmake: writes C++ initialisers
# {"PREFIXname", "text"}, one for each file, as raw string literals.
set(text "")
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" content)
  # A compiler may bound the length of one literal; pieces are joined by the preprocessor.
  set(literals "")
  string(LENGTH "${content}" length)
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${content}" ${at} 8000 piece)
    string(APPEND literals "R\"~~~(${piece})~~~\"\n")
    math(EXPR at "${at} + 8000")
  endwhile()
  string(APPEND text "{\"${PREFIX}${name}\",\n${literals}},\n")
endforeach()
file(WRITE "${OUTPUT}" "${text}")
