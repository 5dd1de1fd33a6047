#ifndef TN_REPORTS_REPORT_PATHS_H
#define TN_REPORTS_REPORT_PATHS_H

#include <jansson.h>

/* In a report's data, takes from every absolute path (the array "files", and "file" and "path" of the objects
 * in other arrays) the folders that all paths in "files" share, but for the last of them; of absolute paths
 * in the configurations of runs it leaves the last name. A page that is passed on then says nothing of the
 * machine's folders, and different files keep different names. Relative paths stay. Configurations are copied
 * first: those that the data were made from stay. */
void tn_report_shorten_paths(json_t *root);

#endif
