<?php
/** Statistics of the farm: what was rendered by whom, where and when. See docs/statistics.md. */

declare(strict_types=1);

namespace AfStats;

foreach (['config', 'database', 'request', 'report', 'logs', 'chart', 'page', 'csv'] as $name) {
    require __DIR__ . "/lib/$name.php";
}

const POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    . "frame-ancestors 'self'";

function main(): void
{
    ini_set('display_errors', '0');
    // PHP counts what SQLite does as its own time.
    set_time_limit(QUERY_MOST_S + 30);
    header('Content-Security-Policy: ' . POLICY);
    header('X-Content-Type-Options: nosniff');
    header('Referrer-Policy: same-origin');
    header('Content-Type: text/html; charset=utf-8');
    $zone = environment('AFSTATS_TIMEZONE');
    if ($zone !== '' && !@date_default_timezone_set($zone)) {
        error_log("afserver statistics: no such time zone: $zone");
    }
    $started = microtime(true);
    $now = time();
    $request = new Request($_GET, $now);
    try {
        $database = new Database(find_source());
        if ($request->page === 'logs') {
            answer_logs($request, $database, $now, $started);
        } else {
            answer_report($request, $database, $now, $started);
        }
    } catch (\PDOException | \RuntimeException $error) {
        // The text may tell more than a visitor should know, such as the name of the role.
        error_log('afserver statistics: ' . $error->getMessage());
        http_response_code(503);
        header('Content-Type: text/html; charset=utf-8');
        echo error_page($request, 'The database cannot be read now. The log of the web server says why.');
    }
}

function answer_logs(Request $request, Database $database, int $now, float $started): void
{
    $rows = find_logs($request, $database, $now);
    if ($request->csv) {
        send_logs_csv($rows);
        return;
    }
    echo page_head($request), form($request, $now), logs_table($rows, $request), page_end(time_note($started));
}

function answer_report(Request $request, Database $database, int $now, float $started): void
{
    $report = new Report($request, $database, $now);
    if ($request->csv) {
        send_report_csv($report, $request);
        return;
    }
    echo page_head($request), form($request, $now), filters($request);
    if ($report->cut) {
        echo '<p class="error">There are too many names, not all are shown and summed up. Choose less.</p>';
    }
    if ($report->names === []) {
        echo '<p>Nothing was found. <a href="', h($request->link(['first' => ''])), '">Show all times</a></p>';
    } else {
        echo chart($report, $request), report_table($report, $request);
    }
    echo page_end(time_note($started));
}

function time_note(float $started): string
{
    return sprintf('%.2f s, times of %s', microtime(true) - $started, date_default_timezone_get());
}

main();
