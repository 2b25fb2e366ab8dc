# cmake -DSOURCE=DIR -DVERSION=0.2.0 -DIN=version.cc.in -DOUT=version.cc -P version.cmake
# Writes OUT with the version and, where git knows it, the commit. Run at each build: as part of the configuration it
# would go on naming the commit, and the changes, of the day of that configuration.
find_package(Git QUIET)
set(commit "")
if(Git_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} describe --always --dirty
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
set(EBLA_VERSION "${VERSION}")
if(commit)
  string(APPEND EBLA_VERSION " (${commit})")
endif()
configure_file(${IN} ${OUT} @ONLY)  # which leaves OUT alone where nothing is new
