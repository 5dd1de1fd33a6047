#include "support.h"

int main(void) {
    return tn_test_main(tn_test_op_suite("route_mix", 16));
}
