//! A straight line through points, by least squares.

/// `y = base + slope * x`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) slope: f64,
    /// The largest distance of a point from the line, in units of `y`.
    pub(crate) off: f64,
}

impl Line {
    /// Through pairs of `x` and `y`, of which two differ in `x`.
    pub(crate) fn through(points: &[(u64, u64)]) -> Line {
        let points = points.iter().map(|&(x, y)| (x as f64, y as f64));
        let count = points.clone().count() as f64;
        let (x_sum, y_sum) = points
            .clone()
            .fold((0.0, 0.0), |(a, b), (x, y)| (a + x, b + y));
        let (x_mean, y_mean) = (x_sum / count, y_sum / count);
        let (above, below) = points.clone().fold((0.0, 0.0), |(above, below), (x, y)| {
            let dx = x - x_mean;
            (above + dx * (y - y_mean), below + dx * dx)
        });
        let slope = above / below;
        let at = |x: f64| y_mean + slope * (x - x_mean);
        let off = points.map(|(x, y)| (y - at(x)).abs()).fold(0.0, f64::max);
        assert!(slope.is_finite(), "all points have the same place");
        Line { slope, off }
    }
}
