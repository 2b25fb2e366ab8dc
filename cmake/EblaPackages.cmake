# Debian packages, made by CPack (./dev package): ebla-server, ebla-client, ebla-gateway and libebla-dev, one for each
# component. Beside what is installed anyway they hold settings, units, man pages, and what Debian asks of every
# package.
find_program(GZIP gzip REQUIRED)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(docs ${CMAKE_INSTALL_DATADIR}/doc)
set(conf ${PROJECT_SOURCE_DIR}/conf)
set(roles master tabletserver standalone)
# Programs are hardened as Debian hardens them. The loader resolves everything at the start, so that it can make its
# tables read-only.
foreach(program ebla ebla-ycsb ebla-cluster ebla-master ebla-tabletserver ebla-standalone ebla-gateway)
  target_link_options(${program} PRIVATE LINKER:-z,relro,-z,now)
endforeach()

# Settings and units. The settings are conf's own files, which postinst copies to /etc/ebla where there are none; as
# conffiles they would have dpkg ask each operator about each changed comment. Units say where files of a package lie.
foreach(role ${roles})
  install(FILES ${conf}/${role}.flags DESTINATION ${CMAKE_INSTALL_DATADIR}/ebla/flags COMPONENT server)
  install(FILES ${conf}/systemd/ebla-${role}.service DESTINATION lib/systemd/system COMPONENT server)
endforeach()
install(FILES ${conf}/systemd/ebla-backup.service ${conf}/systemd/ebla-archive.service DESTINATION lib/systemd/system
  COMPONENT client)
install(FILES ${conf}/gateway.flags DESTINATION ${CMAKE_INSTALL_DATADIR}/ebla/flags COMPONENT gateway)
install(FILES ${conf}/systemd/ebla-gateway.service DESTINATION lib/systemd/system COMPONENT gateway)
install(PROGRAMS ${PROJECT_SOURCE_DIR}/tools/redis_copy/ebla-redis-copy TYPE BIN COMPONENT gateway)
install(FILES ${conf}/backup.env DESTINATION ${docs}/ebla-client/examples COMPONENT client)
install(FILES ${conf}/zoo.cfg DESTINATION ${docs}/ebla-server/examples COMPONENT server)
install(DIRECTORY ${conf}/ycsb DESTINATION ${CMAKE_INSTALL_DATADIR}/ebla COMPONENT client)

# Man pages, from --help of each program.
set(pages)
function(ebla_man_page program section component)
  set(path ${PROJECT_SOURCE_DIR}/tools/redis_copy/${program})  # a script, or what is built
  if(TARGET ${program})
    set(path $<TARGET_FILE:${program}>)
  endif()
  set(page ${PROJECT_BINARY_DIR}/man/${program}.${section})
  add_custom_command(OUTPUT ${page}.gz
    COMMAND ${Python3_EXECUTABLE} ${PROJECT_SOURCE_DIR}/cmake/man_page.py ${path} ${section} ${PROJECT_VERSION}
            ${page}
    COMMAND ${GZIP} -9nf ${page}
    DEPENDS ${path} ${PROJECT_SOURCE_DIR}/cmake/man_page.py COMMENT "man page of ${program}" VERBATIM)
  install(FILES ${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${component})
  set(pages ${pages} ${page}.gz PARENT_SCOPE)
endfunction()
foreach(program ebla ebla-ycsb ebla-cluster)
  ebla_man_page(${program} 1 client)
endforeach()
foreach(role ${roles})
  ebla_man_page(ebla-${role} 8 server)
endforeach()
ebla_man_page(ebla-gateway 8 gateway)
ebla_man_page(ebla-redis-copy 1 gateway)

# Completion for bash, as the program prints it.
set(completion ${PROJECT_BINARY_DIR}/completion/ebla)
file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/completion)
add_custom_command(OUTPUT ${completion} COMMAND $<TARGET_FILE:ebla> completion bash > ${completion}
  DEPENDS ebla COMMENT "completion of ebla" VERBATIM)
install(FILES ${completion} DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT client)
add_custom_target(ebla-man ALL DEPENDS ${pages} ${completion})

# Files that Debian requires in every package: its licence, and its changes in Debian's form. The date is that of the
# sources.
string(TIMESTAMP now "%a, %d %b %Y %H:%M:%S +0000" UTC)
find_program(GIT git)
if(GIT)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env TZ=UTC ${GIT} -C ${PROJECT_SOURCE_DIR} log -1 --format=%cd
    --date=format-local:%a,\ %d\ %b\ %Y\ %H:%M:%S\ +0000 OUTPUT_VARIABLE committed OUTPUT_STRIP_TRAILING_WHITESPACE
    ERROR_QUIET)
  if(committed)
    set(now ${committed})
  endif()
endif()
foreach(package_component ebla-server:server ebla-client:client ebla-gateway:gateway libebla-dev:sdk)
  string(REGEX MATCH "(.*):(.*)" matched ${package_component})
  set(package ${CMAKE_MATCH_1})
  set(component ${CMAKE_MATCH_2})
  set(changelog ${PROJECT_BINARY_DIR}/debian/${package}/changelog)
  file(CONFIGURE OUTPUT ${changelog} CONTENT "${package} (${PROJECT_VERSION}) unstable; urgency=medium

  * The changes of this version stand in CHANGELOG.md.

 -- Ebla developers <ebla@localhost>  ${now}
")
  execute_process(COMMAND ${GZIP} -9nc ${changelog} OUTPUT_FILE ${changelog}.gz COMMAND_ERROR_IS_FATAL ANY)
  install(FILES ${changelog}.gz ${PROJECT_SOURCE_DIR}/cmake/debian/copyright ${PROJECT_SOURCE_DIR}/CHANGELOG.md
          DESTINATION ${docs}/${package} COMPONENT ${component})
endforeach()
# CPack strips programs, not archives. A changed time in one archive would make the package another.
install(CODE "if(CMAKE_INSTALL_DO_STRIP)
  file(GLOB archives \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/ebla/*.a\")
  execute_process(COMMAND ${CMAKE_STRIP} --strip-debug --remove-section=.comment --enable-deterministic-archives
    \${archives}
                  COMMAND_ERROR_IS_FATAL ANY)
endif()" COMPONENT sdk)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "Ebla developers <ebla@localhost>")
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_NAME ebla)
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
# CPack's own default. Any other text would be the first line of every description.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_NAME} built using CMake")
set(CPACK_COMPONENTS_ALL server client gateway sdk)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ
  WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)

set(CPACK_DEBIAN_SERVER_PACKAGE_NAME ebla-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION database)
set(CPACK_COMPONENT_SERVER_DESCRIPTION "servers of a distributed ordered key-value store
Ebla keeps ordered keys and their values on several machines. Tables are cut
into tablets, which split, merge and move as load changes. Each tablet has
three replicas, and another one takes over when its primary dies.
.
This package holds the master, the tablet server, and a whole Ebla in one
process for small uses, with a systemd unit for each. No unit is enabled.")
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_SERVER_PACKAGE_RECOMMENDS "zookeeperd | zookeeper, ebla-client")
set(scripts ${PROJECT_SOURCE_DIR}/cmake/debian)
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA ${scripts}/postinst ${scripts}/prerm ${scripts}/postrm)

set(CPACK_DEBIAN_CLIENT_PACKAGE_NAME ebla-client)
set(CPACK_DEBIAN_CLIENT_PACKAGE_SECTION database)
set(CPACK_COMPONENT_CLIENT_DESCRIPTION "shell and tools of a distributed ordered key-value store
Ebla keeps ordered keys and their values on several machines.
.
This package holds its shell, which also administers clusters and makes their
certificates; the benchmark YCSB; and a tool that runs a cluster on one machine
for trying it out.")
set(CPACK_DEBIAN_CLIENT_PACKAGE_SUGGESTS "ebla-server, zookeeper")

set(CPACK_DEBIAN_GATEWAY_PACKAGE_NAME ebla-gateway)
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SECTION database)
set(CPACK_COMPONENT_GATEWAY_DESCRIPTION "Redis's and Memcached's protocols before Ebla
Ebla keeps ordered keys and their values on several machines.
.
This package holds a gateway through which clients of Redis and of Memcached
use its tables, with a systemd unit, and a program that copies the strings of a
Redis into them. The unit is not enabled.")
set(CPACK_DEBIAN_GATEWAY_PACKAGE_DEPENDS "adduser, python3")  # ebla-redis-copy is a script
set(CPACK_DEBIAN_GATEWAY_PACKAGE_RECOMMENDS python3-redis)  # ebla-redis-copy's
set(CPACK_DEBIAN_GATEWAY_PACKAGE_SUGGESTS "ebla-server, ebla-client")
set(CPACK_DEBIAN_GATEWAY_PACKAGE_CONTROL_EXTRA ${scripts}/gateway/postinst ${scripts}/gateway/prerm
  ${scripts}/gateway/postrm)

set(CPACK_DEBIAN_SDK_PACKAGE_NAME libebla-dev)
set(CPACK_DEBIAN_SDK_PACKAGE_SECTION libdevel)
set(CPACK_COMPONENT_SDK_DESCRIPTION "C++ client library of a distributed ordered key-value store
Ebla keeps ordered keys and their values on several machines.
.
This package holds the headers and static libraries for programs in C++23, a
CMake package, and the Thrift files for clients in other languages.")
set(CPACK_DEBIAN_SDK_PACKAGE_DEPENDS
  "libthrift-dev, libboost-dev, libevent-dev, libssl-dev, libgoogle-glog-dev, pkg-config")
include(CPack)
