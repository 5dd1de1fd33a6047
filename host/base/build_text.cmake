# cmake -DSOURCE=… -DRELEASE=… -DOUTPUT=… -P build_text.cmake: the header that build.c tells its version from. Run by
# every build; a header that would say the same is left alone, so that nothing is built anew.
# The commit comes from git where SOURCE is the top of a working tree (not a folder of somebody else's), else from
# packaging/commit.txt, which `git archive` fills in; else there is none and the release stands alone.
# -dirty: a tracked file was edited, whichever. Digits stand behind it where what is built was, and are of that alone,
# so that editing a document or a test does not link every program anew.
foreach(name GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX GIT_OBJECT_DIRECTORY) # a hook's, of whatever repository
  unset(ENV{${name}})
endforeach()
set(commit "")
set(dirty -1)
set(version ${RELEASE})

find_program(GIT git)
if(GIT AND EXISTS ${SOURCE}/.git)
  set(git ${GIT} --no-optional-locks -C ${SOURCE})
  set(built kernels host bench study survey reports cli packaging CMakeLists.txt)
  set(diff diff HEAD --binary --no-color --no-ext-diff --no-textconv)
  execute_process(COMMAND ${git} rev-parse --verify HEAD OUTPUT_VARIABLE commit ERROR_VARIABLE why RESULT_VARIABLE failed
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_STRIP_TRAILING_WHITESPACE)
  if(NOT failed)
    execute_process(COMMAND ${git} ${diff} --quiet ERROR_VARIABLE why RESULT_VARIABLE dirty)
    if(NOT dirty MATCHES "^[01]$")
      set(failed TRUE)
    endif()
  endif()
  if(failed)
    message("turnout: git does not tell the commit, so the version will be ${RELEASE} alone: ${why}")
    set(commit "")
    set(dirty -1)
  endif()
elseif(EXISTS ${SOURCE}/packaging/commit.txt)
  file(STRINGS ${SOURCE}/packaging/commit.txt commit LIMIT_COUNT 1 REGEX "^[0-9a-f]+$")
endif()

if(commit)
  string(SUBSTRING ${commit} 0 12 short)
  string(APPEND version "+g${short}")
endif()
if(dirty EQUAL 1)
  string(APPEND version "-dirty")
  execute_process(COMMAND ${git} ${diff} --quiet -- ${built} RESULT_VARIABLE edited)
  if(edited)
    execute_process(COMMAND ${git} ${diff} -- ${built} COMMAND ${git} hash-object --stdin OUTPUT_VARIABLE edits
                    OUTPUT_STRIP_TRAILING_WHITESPACE)
    string(SUBSTRING "${edits}" 0 8 edits)
    string(APPEND version ".${edits}")
  endif()
endif()

set(text "#define TN_BUILD_VERSION \"${version}\"\n#define TN_BUILD_RELEASE \"${RELEASE}\"\n")
string(APPEND text "#define TN_BUILD_COMMIT \"${commit}\"\n#define TN_BUILD_DIRTY (${dirty})\n")
set(before "")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} before)
endif()
if(NOT before STREQUAL text)
  file(WRITE ${OUTPUT} "${text}")
endif()
