# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads Prometheus' text format from standard input and is strict about it: every line must be
known, every sample belong to the metric above it, counters end in _total, histograms add up. Prints
the samples as NAME{LABELS} VALUE, labels sorted."""
import re
import sys

HEAD = re.compile(r'# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)')
SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} ([0-9]+(?:\.[0-9]+)?)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)')

text = sys.stdin.buffer.read().decode('utf-8')
if not text.endswith('\n'):
    sys.exit('no newline at the end')
name = kind = None
seen = set()
samples = set()
bound = total = None


def labels_of(text):
    labels = {}
    while text:
        m = LABEL.match(text)
        if not m:
            sys.exit('labels: ' + text)
        if m[1] in labels:
            sys.exit('twice: ' + m[1])
        labels[m[1]] = m[2]
        text = text[m.end():]
    return labels


for line in text.split('\n')[:-1]:
    m = HEAD.fullmatch(line)
    if m and m[1] == 'HELP':
        if m[2] in seen or kind == 'wanted':
            sys.exit('out of place: ' + line)
        seen.add(m[2])
        name, kind = m[2], 'wanted'
        continue
    if m:
        if kind != 'wanted' or m[2] != name or m[3] not in ('gauge', 'counter', 'histogram'):
            sys.exit('out of place: ' + line)
        kind = m[3]
        bound, total = -1.0, 0.0
        if not name.startswith('sftfs_') or (kind == 'counter') != name.endswith('_total'):
            sys.exit('bad name: ' + name)
        continue
    m = SAMPLE.fullmatch(line)
    if not m or kind in (None, 'wanted'):
        sys.exit('not understood: ' + line)
    labels = labels_of(m[2])
    key = m[1] + '{' + ','.join('%s="%s"' % kv for kv in sorted(labels.items())) + '}'
    if key in samples or 'mount' not in labels:
        sys.exit('twice, or of no mount: ' + line)
    samples.add(key)
    if kind != 'histogram':
        if m[1] != name:
            sys.exit('out of place: ' + line)
    elif m[1] == name + '_bucket':
        le = float(labels['le'])
        if le <= bound or float(m[3]) < total:
            sys.exit('does not grow: ' + line)
        bound, total = le, float(m[3])
    elif m[1] != name + '_count' or bound != float('inf') or float(m[3]) != total:
        sys.exit('does not add up: ' + line)
    print(key, m[3])
