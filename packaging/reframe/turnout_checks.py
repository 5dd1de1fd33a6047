"""Turnout as a ReFrame test: a grid is measured, every row must be right, and its times are held against those of an
earlier run on the same kind of device. README.md beside this file says how to run it.

Every row of the CSV is a performance variable, wall_ms under the name of its work; a row of `baseline` with the same
device and work is its reference, and one that is slower by more than `tolerance` fails the test."""
import csv
import os

import reframe as rfm
import reframe.utility.sanity as sn

# What tells one row's work from another's (docs/schema.md).
WORK = ['level', 'op', 'pass', 'mixer', 'B', 'T', 'D', 'H', 'K', 'rho', 'schedule', 'shape', 'part', 'cores', 'cache',
        'context', 'contexts']


def rows_of(path):
    with open(path, newline='', encoding='utf-8') as f:
        return list(csv.DictReader(f))


def name_of(row):
    """level=layer,pass=forward,T=256: what is not empty, and no more than tells works apart."""
    words = [f'{column}={row.get(column)}' for column in WORK if row.get(column)]
    return ','.join(words).replace(':', '-').replace(' ', '_')


@rfm.simple_test
class turnout_sweep(rfm.RunOnlyRegressionTest):
    descr = 'Kernels and routed layers: verified, timed, held against an earlier run'
    valid_systems = ['*']
    valid_prog_environs = ['*']

    # Each is set with -S turnout_sweep.NAME=VALUE.
    turnout = variable(str, value='turnout')
    grid = variable(str, value='--preset=quick')   # options of `turnout sweep`
    baseline = variable(str, value='')             # the cost.csv of an earlier run; '': nothing is held against
    tolerance = variable(float, value=0.1)         # slower by this share of the reference is too slow

    num_tasks = 1
    num_tasks_per_node = 1

    @run_after('init')
    def set_command(self):
        self.executable = self.turnout
        self.executable_opts = ['sweep', '--quiet', '-o', 'cost.csv', *self.grid.split()]
        self.keep_files = ['cost.csv']

    @sanity_function
    def rows_are_right(self):
        """A row that is wrong or could not run fails the test; what a device lacks or a preset leaves out does not."""
        rows = rows_of(os.path.join(self.stagedir, 'cost.csv'))
        wrong = [f"{name_of(row)}: {row['reason']}" for row in rows if row['status'] == 'error']
        return sn.all([sn.assert_true(any(row['status'] == 'ok' for row in rows), msg='no row was measured'),
                       sn.assert_eq(wrong, [], msg='rows with errors: ' + '; '.join(wrong))])

    @run_before('performance')
    def read_times(self):
        earlier = {}
        for row in rows_of(self.baseline) if self.baseline else []:
            if row['status'] == 'ok':
                earlier[row['device'], name_of(row)] = float(row['wall_ms'])
        self.perf_variables, reference = {}, {}
        for row in rows_of(os.path.join(self.stagedir, 'cost.csv')):
            if row['status'] != 'ok':
                continue
            name = name_of(row)
            self.perf_variables[name] = sn.make_performance_function(sn.defer(float(row['wall_ms'])), 'ms')
            if (row['device'], name) in earlier:
                reference[name] = (earlier[row['device'], name], None, self.tolerance, 'ms')
        if reference:
            self.reference = {'*': reference}
