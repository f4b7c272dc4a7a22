// SPDX-License-Identifier: Apache-2.0
// Writes the workload: `workload DIR`.
#include "tests/bench/map/workload.h"
#include "tests/bench/report.h"

int main(int argc, char **argv)
{
    if (argc != 2) {
        report_give_up("usage: workload DIR");
    }
    workload_write_all(argv[1]);
    return 0;
}
