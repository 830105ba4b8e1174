<?php
/** HTML. Every text of the database or the visitor goes through `h`. */

declare(strict_types=1);

namespace AfStats;

/** Most rows of a table on the page; the CSV file has all. */
const TABLE_ROWS = 500;

function h(string|int|float|null $text): string
{
    return htmlspecialchars((string) $text, ENT_QUOTES | ENT_SUBSTITUTE | ENT_HTML5, 'UTF-8');
}

/** Returns what stands for a name; some are empty. */
function label(string $name): string
{
    return $name === '' ? '(none)' : $name;
}

function number(int|float $value): string
{
    $digits = is_float($value) && floor($value) !== $value && abs($value) < 100 ? 1 : 0;
    return number_format($value, $digits, '.', ' ');
}

/** Returns seconds as days and hours and so on, the two greatest parts. */
function duration(int|float $seconds): string
{
    $seconds = (int) round($seconds);
    if ($seconds >= 100 * DAYS) {
        return number(intdiv($seconds, DAYS)) . ' d';
    }
    $parts = [];
    foreach (['d' => DAYS, 'h' => 3600, 'min' => 60, 's' => 1] as $unit => $size) {
        $count = intdiv($seconds, $size);
        $seconds -= $count * $size;
        if ($count > 0 || $parts !== []) {
            $parts[] = "$count $unit";
        }
    }
    $parts = array_filter(array_slice($parts, 0, 2), fn ($part) => $part[0] !== '0');
    return $parts === [] ? '0 s' : implode(' ', $parts);
}

function shown(Measure $measure, int|float $value): string
{
    return match ($measure->form) {
        'percent' => number_format(100 * $value, 1) . ' %',
        'time' => duration($value),
        default => number($value),
    };
}

function page_head(Request $request): string
{
    $tabs = '';
    foreach (PAGES as $page => $title) {
        $class = $page === $request->page ? ' class="here"' : '';
        $changes = ['page' => $page, 'sort' => null, 'order' => null];
        if ($page === 'logs' || $request->page === 'logs') {
            $changes += array_fill_keys([...array_keys(LOG_TEXTS), 'jobname'], null);
        }
        $tabs .= "<a$class href=\"" . h($request->link($changes)) . "\">$title</a>";
    }
    $title = PAGES[$request->page];
    return <<<HTML
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>$title - farm statistics</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="style.css">
        </head>
        <body>
        <header><h1>Farm statistics</h1><nav>$tabs</nav></header>
        <main>

        HTML;
}

function page_end(string $note): string
{
    return '</main><footer>' . h($note) . "</footer></body></html>\n";
}

function error_page(Request $request, string $text): string
{
    return page_head($request) . '<p class="error">' . h($text) . '</p>' . page_end('');
}

/** Returns the form with the bounds and filters, and links for usual ranges of time. */
function form(Request $request, int $now): string
{
    $fields = hidden('page', $request->page);
    if ($request->page !== 'logs') {
        $fields .= select_field('By', 'group', GROUPS, $request->group)
            . select_field('Graph', 'metric', ['time' => 'Run time', 'count' => 'Number'], $request->metric);
    }
    $fields .= field('From', 'first', $request->first, 'date') . field('To', 'last', $request->last, 'date');
    if ($request->page === 'logs') {
        foreach (LOG_TEXTS as $name => $title) {
            $fields .= field("$title has", $name, $request->parts[$name] ?? '');
        }
    } else {
        foreach (['username' => 'User', 'service' => 'Service', 'hostname' => 'Host'] as $name => $title) {
            $fields .= field($title, $name, $request->exact[$name] ?? '');
        }
        $fields .= field('Folder', 'folder', $request->folder);
        $fields .= field('Job name has', 'jobname', $request->parts['jobname'] ?? '');
    }
    $links = '';
    foreach (['day' => 1, 'week' => 7, 'month' => 30, 'year' => 365, 'all' => null] as $title => $days) {
        $first = $days === null ? '' : date('Y-m-d', $now - $days * DAYS);
        $links .= '<a href="' . h($request->link(['first' => $first, 'last' => null])) . "\">$title</a> ";
    }
    $csv = h($request->link(['format' => 'csv']));
    return "<form method=\"get\">$fields<button>Show</button></form>"
        . "<p class=\"ranges\">Last: $links<a class=\"csv\" href=\"$csv\">Download CSV</a></p>";
}

function hidden(string $name, string $value): string
{
    return "<input type=\"hidden\" name=\"$name\" value=\"" . h($value) . '">';
}

function field(string $title, string $name, string $value, string $type = 'text'): string
{
    return "<label>$title <input type=\"$type\" name=\"$name\" value=\"" . h($value) . '"></label>';
}

function select_field(string $title, string $name, array $choices, string $chosen): string
{
    $options = '';
    foreach ($choices as $value => $text) {
        $mark = $value === $chosen ? ' selected' : '';
        $options .= "<option value=\"$value\"$mark>$text</option>";
    }
    return "<label>$title <select name=\"$name\">$options</select></label>";
}

/** Returns what is filtered, each with a link to drop it; a folder as a path to climb. */
function filters(Request $request): string
{
    $html = '';
    foreach ($request->exact as $name => $value) {
        $html .= '<a class="filter" href="' . h($request->link([$name => null])) . '">'
            . h(GROUPS[$name] . ": $value") . ' &#x2715;</a> ';
    }
    if ($request->folder !== '' || $request->group === 'folder') {
        $html .= '<span class="path">Folder: <a href="' . h($request->link(['folder' => null])) . '">/</a>';
        $path = '';
        foreach (explode('/', substr($request->folder, 1)) as $part) {
            if ($part !== '') {
                $path .= "/$part";
                $html .= ' <a href="' . h($request->link(['folder' => $path])) . '">' . h($part) . '</a> /';
            }
        }
        $html .= '</span>';
    }
    return $html === '' ? '' : "<p>$html</p>";
}

function report_table(Report $report, Request $request): string
{
    $measures = $report->measures();
    $head = table_head($request, 'name', GROUPS[$request->group], up: true);
    foreach ($measures as $word => $measure) {
        $head .= table_head($request, $word, $measure->title, up: false);
    }
    $total = '<th>Total</th>';
    foreach ($measures as $measure) {
        $total .= '<td>' . h(shown($measure, ($measure->value)($report->total))) . '</td>';
    }
    $names = $report->sorted();
    $body = '';
    foreach (array_slice($names, 0, TABLE_ROWS) as $name) {
        $body .= '<tr><th>' . name_link($request, $name) . '</th>';
        foreach ($measures as $measure) {
            $body .= '<td>' . h(shown($measure, ($measure->value)($report->names[$name]))) . '</td>';
        }
        $body .= "</tr>\n";
    }
    $more = count($names) - TABLE_ROWS;
    $note = $more > 0 ? "<p>$more further rows are in the CSV file.</p>" : '';
    return "<table><thead><tr>$head</tr></thead><tbody><tr class=\"total\">$total</tr>\n$body</tbody></table>$note";
}

function table_head(Request $request, string $word, string $title, bool $up): string
{
    $here = $request->sort === $word || ($request->sort === '' && $word === 'time');
    $order = $here ? !$request->ascending : $up;
    $mark = $here ? ($request->ascending ? ' &#x25B2;' : ' &#x25BC;') : '';
    $link = $request->link(['sort' => $word, 'order' => $order ? 'up' : null]);
    return '<th><a href="' . h($link) . '">' . h($title) . "</a>$mark</th>";
}

/** Returns a name that leads on: into a folder, or to all of a user and so on by folder. */
function name_link(Request $request, string $name): string
{
    if ($name === '') {
        return h(label($name));
    }
    $changes = $request->group === 'folder'
        ? ['folder' => "$request->folder/$name"]
        : [$request->group => $name, 'group' => $request->group === 'username' ? 'service' : 'username'];
    return '<a href="' . h($request->link($changes)) . '">' . h($name) . '</a>';
}

function logs_table(array $rows, Request $request): string
{
    $body = '';
    foreach (array_slice($rows, 0, LOG_ROWS) as $row) {
        $body .= '<tr><td>' . h(date('Y-m-d H:i:s', (int) $row['time'])) . '</td>';
        foreach (array_keys(LOG_TEXTS) as $name) {
            $body .= "<td class=\"$name\">" . h($row[$name]) . '</td>';
        }
        $body .= "</tr>\n";
    }
    $steps = '';
    if ($request->number > 1) {
        $link = $request->link(['number' => (string) ($request->number - 1)]);
        $steps .= '<a href="' . h($link) . '">newer</a> ';
    }
    if (count($rows) > LOG_ROWS) {
        $link = $request->link(['number' => (string) ($request->number + 1)]);
        $steps .= '<a href="' . h($link) . '">older</a>';
    }
    $head = '<th>Time</th><th>' . implode('</th><th>', LOG_TEXTS) . '</th>';
    return "<table class=\"logs\"><thead><tr>$head</tr></thead><tbody>\n$body</tbody></table><p>$steps</p>";
}
