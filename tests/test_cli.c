/* The command line: options of every type, their errors, suggestions; and the program itself by its exit
 * codes. */
#include "build.h"
#include "case.h"
#include "commands.h"
#include "suite.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *const colours[] = {"red", "green", NULL};
static const char *const prices[] = {"free", NULL};
static const tn_cli_option options[] = {
    {"op", 0, "OP", TN_CLI_STRING, "an op"},
    {"colour", 0, "C", TN_CLI_STRING, "a colour", 0, 0, colours},
    {"cases", 'n', "N", TN_CLI_INT, "a count", 1, 100},
    {"seed", 's', "S", TN_CLI_UINT64, "a seed"},
    {"share", 0, "R", TN_CLI_REAL, "a share", 0, 1},
    {"price", 0, "X|free", TN_CLI_REAL, "a number or a word", 0, 9, prices},
    TN_CLI_DEVICE,
    TN_CLI_QUIET,
    {NULL},
};
static const tn_cli_command command = {"try", "Nothing", "FILE", 0, 2, options, NULL};

static tn_context ctx;
static tn_cli_args args;

static tn_status parse(const char *line) {
    static char text[512];
    static char *argv[32];
    int argc = 0;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    return tn_cli_parse(&ctx, &command, argc, argv, &args);
}

START_TEST(values_of_every_type) {
    ck_assert_int_eq(parse("--op=gemm -n 7 --seed 0xffffffffffffffff a --share 0.25 -qd cpu -- --b"), TN_OK);
    ck_assert_str_eq(tn_cli_string(&args, "op", "none"), "gemm");
    ck_assert_int_eq(tn_cli_int(&args, "cases", 1), 7);
    ck_assert(tn_cli_uint64(&args, "seed", 1) == UINT64_MAX);
    ck_assert(tn_cli_real(&args, "share", 1) == 0.25);
    ck_assert_str_eq(tn_cli_string(&args, "device", "none"), "cpu");
    ck_assert(tn_cli_given(&args, "quiet"));
    ck_assert_int_eq(args.count, 2);
    ck_assert_str_eq(args.arguments[1], "--b");
    ck_assert_int_eq(parse("-n5 -n6"), TN_OK);
    ck_assert_int_eq(tn_cli_int(&args, "cases", 1), 6); /* the last one counts */
    ck_assert_int_eq(tn_cli_int(&args, "seed", 3), 3);  /* not given */
    ck_assert(!tn_cli_given(&args, "quiet"));
    ck_assert_int_eq(parse("-n 1e2 -s 1.5e3"), TN_OK); /* one way of writing numbers for all of them */
    ck_assert_int_eq(tn_cli_int(&args, "cases", 1), 100);
    ck_assert(tn_cli_uint64(&args, "seed", 1) == 1500);
    ck_assert_int_eq(parse("-n 010 -s 0010 --share 01e-1"), TN_OK); /* no octal */
    ck_assert_int_eq(tn_cli_int(&args, "cases", 1), 10);
    ck_assert(tn_cli_uint64(&args, "seed", 1) == 10);
    ck_assert(tn_cli_real(&args, "share", 0) == 0.1);
    ck_assert_int_eq(parse("-n 0x1f --price 0x2"), TN_OK);
    ck_assert_int_eq(tn_cli_int(&args, "cases", 1), 31);
    ck_assert(tn_cli_real(&args, "price", 0) == 2);
    ck_assert_int_eq(parse("--price 2.5"), TN_OK);
    ck_assert(tn_cli_real(&args, "price", 1) == 2.5);
    ck_assert_int_eq(parse("--price free"), TN_OK); /* a word in a number's place */
    ck_assert(isnan(tn_cli_real(&args, "price", 1)));
    ck_assert_str_eq(tn_cli_string(&args, "price", ""), "free");
}
END_TEST

static void refused(const char *line, const char *part) {
    ck_assert_int_eq(parse(line), TN_ERR_ARG);
    ck_assert_msg(strstr(ctx.message, part) != NULL, "'%s' lacks '%s'", ctx.message, part);
}

START_TEST(mistakes_are_named) {
    refused("--cses 3", "did you mean --cases?");
    refused("--xyzzyplugh", "unknown option --xyzzyplugh");
    refused("-z", "unknown option -z");
    refused("--cases", "wants a value");
    refused("--cases abc", "--cases wants a whole number from 1 to 100, not 'abc'");
    refused("--cases 12x", "from 1 to 100, not '12x'");
    refused("--cases 1.5", "from 1 to 100, not '1.5'");
    refused("--cases 0", "from 1 to 100, not '0'");
    refused("--cases +5", "from 1 to 100, not '+5'");
    refused("--cases 1e3", "from 1 to 100, not '1e3'");
    refused("--cases 99999999999999999999", "from 1 to 100, not '99999999999999999999'");
    refused("--seed -1", "--seed wants a whole number from 0 to 2^64-1, not '-1'");
    refused("--seed 1e-3", "from 0 to 2^64-1, not '1e-3'");
    refused("--share 1.5", "--share wants a number from 0 to 1, not '1.5'");
    refused("--share nan", "from 0 to 1, not 'nan'");
    refused("--share 0x1p-1", "from 0 to 1, not '0x1p-1'");
    refused("--price fre", "--price, if not free, wants a number from 0 to 9, not 'fre'");
    refused("--price 10", "from 0 to 9");
    refused("--quiet=1", "takes no value");
    refused("--op=", "empty");
    refused("--colour blue", "one of red, green");
    refused("a b c", "one argument too many");
}
END_TEST

static int program(const char *line, char *output, size_t size) {
    char text[1024];
    snprintf(text, sizeof text, "%s %s 2>&1", TURNOUT_PROGRAM, line);
    FILE *pipe = popen(text, "r");
    ck_assert_ptr_nonnull(pipe);
    size_t used = fread(output, 1, size - 1, pipe);
    output[used] = '\0';
    while (fgetc(pipe) != EOF)
        ;
    int code = pclose(pipe);
    ck_assert(WIFEXITED(code));
    return WEXITSTATUS(code);
}

START_TEST(program_exit_codes) {
    static char out[65536];
    ck_assert_int_eq(program("", out, sizeof out), 2);
    ck_assert_int_eq(program("help", out, sizeof out), 0);
    ck_assert_int_eq(program("--version", out, sizeof out), 0);
    ck_assert_ptr_nonnull(strstr(out, "turnout 0."));
    ck_assert_ptr_nonnull(strstr(out, tn_build_version()));
    ck_assert_int_eq(program("--version --jsno", out, sizeof out), 2);
    ck_assert_ptr_nonnull(strstr(out, "--jsno"));
    ck_assert_int_eq(program("devices", out, sizeof out), 0);
    ck_assert_int_eq(program("devices --json", out, sizeof out), 0);
    ck_assert_int_eq(program("devcies", out, sizeof out), 2);
    ck_assert_ptr_nonnull(strstr(out, "did you mean turnout devices?"));
    ck_assert_int_eq(program("verify --op nonesuch", out, sizeof out), 2);
    ck_assert_ptr_nonnull(strstr(out, "rms_norm"));
    ck_assert_int_eq(program("verify -d nonesuch", out, sizeof out), 2);
    ck_assert_int_eq(program("verify --op rms_norm --cases 2", out, sizeof out), 0);
    ck_assert_int_eq(program("verify --op causal_conv --cases 2 -q", out, sizeof out), 0);
    ck_assert_ptr_nonnull(strstr(out, " wide "));
    ck_assert_ptr_nonnull(strstr(out, " threads "));
    ck_assert_int_eq(program("verify --op causal_conv --variant wide --cases 2 -q", out, sizeof out), 0);
    ck_assert_ptr_null(strstr(out, " threads "));
    ck_assert_int_eq(program("verify --op causal_conv --variant nonesuch", out, sizeof out), 2);
    ck_assert_ptr_nonnull(strstr(out, "there is wide, groups, threads"));
    ck_assert_int_eq(
        program("bench --op causal_conv --pass forward --shape B=1,T=64,D=64,K=4,silu=1 --variant threads "
                "--seconds 0.01 --format csv -q",
                out, sizeof out),
        0);
    ck_assert_ptr_nonnull(strstr(out, ",tried,"));
    ck_assert_ptr_nonnull(strstr(out, ",threads,"));
    ck_assert_int_eq(
        program("bench --op causal_conv --pass forward --shape B=1,T=64,D=30,K=4,silu=1 --variant wide "
                "--seconds 0.01 --format csv -q",
                out, sizeof out),
        3);
    ck_assert_ptr_nonnull(strstr(out, "variant wide does not fit"));
    ck_assert_int_eq(program("bench --level step --variant wide", out, sizeof out), 2);
    ck_assert_int_eq(program("verify --variant nonesuch", out, sizeof out), 2);
    ck_assert_int_eq(program("devices > /dev/full", out, sizeof out), 3);
}
END_TEST

/* With TURNOUT_TUNE or TURNOUT_VARIANT set to what there is not: 2, and what there is. */
static void refuses_setting(const char *name, const char *value, const char *words) {
    static char out[65536];
    setenv(name, value, 1);
    ck_assert_int_eq(program("verify --op causal_conv --cases 1 -q", out, sizeof out), 2);
    ck_assert_msg(strstr(out, words) != NULL, "%s=%s: %s", name, value, out);
    unsetenv(name);
}

START_TEST(settings_are_held_against_what_there_is) {
    static char out[65536];
    refuses_setting("TURNOUT_VARIANT", "gem=few", "names no op; there is rms_norm");
    refuses_setting("TURNOUT_VARIANT", "causal_conv=few", "no variant 'few'; there is wide, groups, threads");
    refuses_setting("TURNOUT_VARIANT", "causal_conv", "is not OP=VARIANT");
    refuses_setting("TURNOUT_TUNE", "gem.LANES=4", "names no op; there is rms_norm");
    refuses_setting("TURNOUT_TUNE", "causal_conv.LANE=4", "no tunable 'LANE'; there is LANES, TILE");
    refuses_setting("TURNOUT_TUNE", "causal_conv/threads.SIDE=4",
                    "causal_conv/threads has no tunable 'SIDE'");
    refuses_setting("TURNOUT_TUNE", "causal_conv.LANES=4,causal_conv/few.LANES=4", "no variant 'few'");
    refuses_setting("TURNOUT_TUNE", "causal_conv.LANES=4x", "'4x' is no integer from 0");
    refuses_setting("TURNOUT_TUNE", "causal_conv.LANES=-4", "'-4' is no integer from 0");
    refuses_setting("TURNOUT_TUNE", "causal_conv.LANES", "is neither OP.NAME=VALUE nor");
    setenv("TURNOUT_VARIANT", "causal_conv=threads,", 1);
    setenv("TURNOUT_TUNE", "causal_conv/threads.LANES=4,causal_conv:threads.TILE=64",
           1); /* the second as in 0.1 */
    ck_assert_int_eq(
        program("bench --op causal_conv --pass forward --shape B=1,T=64,D=64,K=4,silu=1 --seconds 0.01 "
                "--format csv -q",
                out, sizeof out),
        0);
    ck_assert_ptr_nonnull(strstr(out, ",environment,"));
    unsetenv("TURNOUT_VARIANT");
    unsetenv("TURNOUT_TUNE");
}
END_TEST

START_TEST(lists_of_ops) {
    static char out[1 << 19];
    static const char *const commands[] = {"verify --list --json", "bench --list --json",
                                           "tune --list --json"};
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        ck_assert_int_eq(program(commands[i], out, sizeof out), 0);
        json_t *list = json_loads(out, 0, NULL);
        ck_assert_msg(list != NULL && json_array_size(list) == (size_t)tn_case_count, "%s: %s", commands[i],
                      out);
        json_decref(list);
    }
    ck_assert_int_eq(program("tune --list --op causal_conv", out, sizeof out), 0);
    ck_assert_ptr_nonnull(strstr(out, "causal_conv/wide.SIDE "));
    ck_assert_ptr_nonnull(strstr(out, "positions of a work-item; moves last bits; one value"));
    ck_assert_ptr_null(strstr(out, "gelu"));
    ck_assert_int_eq(program("bench --list --op causal_conv", out, sizeof out), 0);
    ck_assert_ptr_nonnull(strstr(out, "B T D K silu"));
    ck_assert_ptr_nonnull(strstr(out, "wide groups threads"));
    ck_assert_int_eq(program("verify --list --op nonesuch", out, sizeof out), 2);
}
END_TEST

START_TEST(version_as_an_object) {
    static const char *const texts[] = {"version", "release", "build_type", "compiler",
                                        "opencl",  "clblast", "hwloc",      "jansson"};
    static char out[65536];
    ck_assert_int_eq(program("--version --json", out, sizeof out), 0);
    json_t *root = json_loads(out, 0, NULL);
    ck_assert_ptr_nonnull(root);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const char *text = json_string_value(json_object_get(root, texts[i]));
        ck_assert_msg(text && *text, "no %s", texts[i]);
    }
    ck_assert_str_eq(json_string_value(json_object_get(root, "version")), tn_build_version());
    const char *commit = json_string_value(json_object_get(root, "commit"));
    ck_assert_str_eq(commit ? commit : "", tn_build_commit());
    ck_assert(json_is_null(json_object_get(root, "dirty")) == (tn_build_dirty() < 0));
    ck_assert(json_is_true(json_object_get(root, "dirty")) == (tn_build_dirty() > 0));
    ck_assert(strncmp(tn_build_version(), tn_build_release(), strlen(tn_build_release())) == 0);
    ck_assert((strstr(tn_build_version(), "-dirty.") != NULL) == (tn_build_dirty() > 0));
    json_decref(root);
}
END_TEST

START_TEST(program_without_platform) {
    static char out[65536];
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    ck_assert_int_eq(program("verify", out, sizeof out), 3);
    ck_assert_ptr_nonnull(strstr(out, "pocl-opencl-icd"));
    unsetenv("OCL_ICD_VENDORS");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cli");
    TCase *tests = tcase_create("cli");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, values_of_every_type);
    tcase_add_test(tests, mistakes_are_named);
    tcase_add_test(tests, program_exit_codes);
    tcase_add_test(tests, version_as_an_object);
    tcase_add_test(tests, settings_are_held_against_what_there_is);
    tcase_add_test(tests, lists_of_ops);
    tcase_add_test(tests, program_without_platform);
    suite_add_tcase(suite, tests);
    return tn_test_main(suite);
}
