"use strict";
(function () {
  const data = JSON.parse(document.getElementById("course").textContent);
  const place = document.getElementById("chart");
  if (!data.points.length || !window.uPlot) {
    return;
  }
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const mib = (bytes) => bytes / 1048576;
  const size = (value) => (value >= 1024 ? (value / 1024).toFixed(2) + " GiB" : value.toFixed(value < 10 ? 1 : 0) + " MiB");
  // each role is drawn from the sum of those below it: the largest sum first, so that the others lie over it
  const sums = data.points.map(() => 0);
  const stacked = data.roles.map((role) => data.points.map((point, n) => (sums[n] += mib(point.terms[role] || 0))));
  const rows = data.roles.map((role, n) => ({ role: role, sums: stacked[n] })).reverse();

  function draw() {
    place.textContent = "";
    const series = rows.map(({ role }) => ({
      label: role, stroke: style(role), fill: style(role), width: 1, points: { show: false },
      value: (_, __, ___, n) => (n === null || n === undefined ? "–" : size(mib(data.points[n].terms[role] || 0))),
    }));
    const axis = { stroke: style("soft"), grid: { stroke: style("line"), width: 1 }, ticks: { stroke: style("line"), width: 1 } };
    new uPlot({
      width: place.clientWidth, height: 320, scales: { x: { time: false } }, cursor: { y: false },
      series: [{}, ...series],
      axes: [
        { ...axis, size: 26, splits: () => data.starts, values: () => data.phases },
        { ...axis, size: 78, values: (_, ticks) => ticks.map(size) },
      ],
    }, [data.points.map((_, n) => n), ...rows.map((row) => row.sums)], place);
  }

  draw();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let waiting;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 150);
  });
})();
