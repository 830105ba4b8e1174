<?php
/** The graph over time: stacked bars as SVG, without scripts. */

declare(strict_types=1);

namespace AfStats;

const CHART_NAMES = 9;
const CHART_WIDTH = 1200;
const CHART_HEIGHT = 260;
const CHART_LEFT = 70;
const CHART_BOTTOM = 24;

/** Returns the SVG and its legend; an empty text when there is nothing to draw. */
function chart(Report $report, Request $request): string
{
    $series = chart_series($report, $request);
    $steps = max(1, (int) ceil(($report->to - $report->from) / $report->step));
    $heights = [];
    foreach ($series as $values) {
        foreach ($values as $step => $value) {
            $heights[$step] = ($heights[$step] ?? 0) + $value;
        }
    }
    $highest = $heights === [] ? 0 : max($heights);
    if ($highest <= 0) {
        return '';
    }
    [$unit, $unit_name] = chart_unit($highest, $request->metric);
    $top = nice_top($highest, $unit);
    $width = (CHART_WIDTH - CHART_LEFT) / $steps;
    $scale = (CHART_HEIGHT - CHART_BOTTOM - 10) / $top;
    $ground = CHART_HEIGHT - CHART_BOTTOM;
    $svg = chart_axes($report, $top, $scale, $steps, $width, fn ($value) => number(round($value / $unit, 2)) . $unit_name);
    $bases = [];
    $color = 0;
    $legend = '';
    foreach ($series as $name => $values) {
        $label = $name === OTHERS ? 'others' : label((string) $name);
        $class = $name === OTHERS ? 'others' : 'c' . $color++;
        $legend .= "<span><svg class=\"key\" viewBox=\"0 0 10 10\"><rect class=\"$class\" width=\"10\" height=\"10\"/></svg>"
            . h($label) . '</span> ';
        foreach ($values as $step => $value) {
            if ($value <= 0) {
                continue;
            }
            $base = $bases[$step] ?? 0;
            $bases[$step] = $base + $value;
            $when = date($report->step < DAYS ? 'Y-m-d H:i' : 'Y-m-d', $report->from + $step * $report->step);
            $shown = $request->metric === 'time' ? duration($value) : number($value);
            $svg .= sprintf(
                '<rect class="%s" x="%.2f" y="%.2f" width="%.2f" height="%.2f"><title>%s</title></rect>',
                $class,
                CHART_LEFT + $step * $width,
                $ground - ($base + $value) * $scale,
                max(0.5, $width - ($width > 4 ? 1 : 0)),
                max(0.3, $value * $scale),
                h("$when  $label: $shown"),
            );
        }
    }
    return sprintf('<svg class="chart" viewBox="0 0 %d %d" role="img">%s</svg>', CHART_WIDTH, CHART_HEIGHT, $svg)
        . "<p class=\"legend\">$legend</p>";
}

/** Returns {name: {step: value}}: the greatest names, then the others as one. */
function chart_series(Report $report, Request $request): array
{
    $sums = array_map(fn ($sums) => $sums[$request->metric], $report->names);
    arsort($sums);
    $shown = array_slice(array_keys($sums), 0, CHART_NAMES);
    $series = [];
    foreach ($shown as $name) {
        $series[$name] = $report->graph[$name] ?? [];
    }
    $rest = [];
    foreach ($report->graph as $name => $values) {
        if (!isset($series[$name])) {
            foreach ($values as $step => $value) {
                $rest[$step] = ($rest[$step] ?? 0) + $value;
            }
        }
    }
    return $rest === [] ? $series : $series + [OTHERS => $rest];
}

/** Returns the unit of the upright axis: seconds of it, and its name. */
function chart_unit(int|float $highest, string $metric): array
{
    if ($metric !== 'time') {
        return [1, ''];
    }
    return $highest >= 20 * DAYS ? [DAYS, ' d'] : ($highest >= 3600 ? [3600, ' h'] : [60, ' min']);
}

/** Returns the end of the upright axis: a round number that is not below the highest bar. */
function nice_top(int|float $highest, int $unit): float
{
    $value = max($highest / $unit, 1e-9);
    $power = 10 ** floor(log10($value));
    foreach ([1, 2, 3, 4, 5, 6, 8, 10] as $factor) {
        if ($value <= $factor * $power) {
            return $factor * $power * $unit;
        }
    }
    return $value * $unit;
}

/** Returns the lines and texts of both axes; `$show` makes a text of a value. */
function chart_axes(Report $report, float $top, float $scale, int $steps, float $width, \Closure $show): string
{
    $svg = '';
    $ground = CHART_HEIGHT - CHART_BOTTOM;
    for ($line = 0; $line <= 4; $line++) {
        $y = $ground - $top * $line / 4 * $scale;
        $svg .= sprintf('<path class="line" d="M%d %.1fH%d"/>', CHART_LEFT, $y, CHART_WIDTH);
        $svg .= sprintf('<text class="up" x="%d" y="%.1f">%s</text>', CHART_LEFT - 6, $y + 4, h($show($top * $line / 4)));
    }
    $every = max(1, (int) ceil($steps / 10));
    $form = match (true) {
        $report->step >= DAYS => 'Y-m-d',
        $report->step * $steps <= 2 * DAYS => 'd M H:i',
        default => 'd M',
    };
    for ($step = 0; $step < $steps; $step += $every) {
        $x = CHART_LEFT + $step * $width;
        $when = date($form, $report->from + $step * $report->step);
        $svg .= sprintf('<text x="%.1f" y="%d">%s</text>', $x, CHART_HEIGHT - 6, h($when));
    }
    return $svg;
}
