#include "support.h"

int main(void) {
    Suite *suite = tn_test_op_suite("row_scatter", 16);
    tn_test_op_tuned(suite, "row_scatter.STREAM=1");
    return tn_test_main(suite);
}
