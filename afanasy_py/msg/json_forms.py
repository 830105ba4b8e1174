"""JSON forms of records: which members in which order, compiled to functions.

A form is a tuple of entries. A text names a column: its JSON key, its value and when it is shown come from
its declaration. A `Member` is made of other things than one column.
"""

# -- when a member is shown: expressions of its value `v`

POSITIVE = "v > 0"
NOT_NEGATIVE = "v >= 0"
NOT_MINUS_ONE = "v != -1"
#: Texts, lists and maps that are not empty; numbers that are not 0; bools that are true.
FILLED = "v"
