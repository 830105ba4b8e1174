<?php
/** Tables as CSV files. */

declare(strict_types=1);

namespace AfStats;

/**
 * Sends a table.
 *
 * @param list<string> $titles
 * @param iterable<list<string|int|float|null>> $rows
 */
function send_csv(string $name, array $titles, iterable $rows): void
{
    header('Content-Type: text/csv; charset=utf-8');
    header("Content-Disposition: attachment; filename=\"$name.csv\"");
    $out = fopen('php://output', 'w');
    fputcsv($out, $titles, escape: '');
    foreach ($rows as $row) {
        fputcsv($out, array_map(csv_cell(...), $row), escape: '');
    }
    fclose($out);
}

/** Returns a value that a spreadsheet takes for a text, not for a formula. */
function csv_cell(string|int|float|null $value): string|int|float
{
    if (is_string($value) && $value !== '' && str_contains("=+-@\t\r", $value[0])) {
        return "'$value";
    }
    return is_float($value) ? round($value, 4) : $value ?? '';
}

function send_report_csv(Report $report, Request $request): void
{
    $measures = $report->measures();
    $units = ['time' => ', s', 'percent' => ', part', 'number' => ''];
    $titles = [GROUPS[$request->group]];
    foreach ($measures as $measure) {
        $titles[] = $measure->title . $units[$measure->form];
    }
    $rows = (function () use ($report, $measures) {
        foreach ($report->sorted() as $name) {
            $row = [$name];
            foreach ($measures as $measure) {
                $row[] = ($measure->value)($report->names[$name]);
            }
            yield $row;
        }
    })();
    send_csv("{$request->page}_by_{$request->group}", $titles, $rows);
}

function send_logs_csv(array $rows): void
{
    $lines = (function () use ($rows) {
        foreach ($rows as $row) {
            yield [date('c', (int) $row['time']), $row['subject'], $row['type'], $row['object'], $row['info']];
        }
    })();
    send_csv('logs', ['Time', ...array_values(LOG_TEXTS)], $lines);
}
