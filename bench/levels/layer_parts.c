#include "layer_parts.h"

#include "clock.h"
#include "routed_rows.h"
