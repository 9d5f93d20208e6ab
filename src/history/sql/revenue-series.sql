-- Revenue by currency over intervals of $1 seconds, counted from $2, over the buckets of [$3, $4).
SELECT
  date_bin(make_interval(secs => $1), bucket, $2::timestamptz) AS start,
  currency, (sum(micros) / 1000000)::double precision AS revenue
FROM session_revenue WHERE bucket >= $3 AND bucket < $4
GROUP BY 1, 2 HAVING sum(micros) <> 0
