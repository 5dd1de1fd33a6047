#include "support.h"

int main(void) {
    Suite *suite = tn_test_op_suite("rms_norm", 16);
    tn_test_op_tuned(suite, "rms_norm.STREAM=1");
    return tn_test_main(suite);
}
