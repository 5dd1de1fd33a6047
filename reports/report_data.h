/* What the page shows, as JSON: read from the inputs, nothing invented. Absent numbers are null. */
#ifndef TN_REPORT_DATA_H
#define TN_REPORT_DATA_H

#include "inputs.h"

/* An object with `version`, `written`, `devices`, `verdict` (tn_verdicts_json), `runs`, `breakevens`, `cells`
 * (layer and model rows), `ops`, `failures`, `flaws` (what of the files was not taken as it stands) and
 * `files`; report.js is its only reader. Caller releases with json_decref. */
tn_status tn_report_data(const tn_inputs *in, json_t **out);

#endif
