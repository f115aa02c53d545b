-- The floor of rollup_year: the figures of a period by hand, for both databases, into the table of the portal.
CREATE TEMPORARY TABLE above AS WITH RECURSIVE up (bureau_id, unit) AS (SELECT id, id FROM enterprises_bureau UNION ALL
  SELECT up.bureau_id, parent_id FROM up JOIN enterprises_bureau b ON b.id = unit AND parent_id IS NOT NULL) SELECT * FROM up;
CREATE TEMPORARY TABLE p AS SELECT id, bureau_id, chain_id, start_on, closed_on, is_cross_region,
  status IN ('executing', 'acceptance', 'accepted', 'failed', 'terminated') AND start_on <= :last AS begun
  FROM projects_chainproject WHERE NOT is_test AND voided_at IS NULL;
CREATE TEMPORARY TABLE c AS SELECT bureau_id, chain_id, status <> 'preparing' AND founded_on >= :first AS formed,
  dissolved_on FROM projects_consortium WHERE NOT is_test AND voided_at IS NULL AND founded_on <= :last;
CREATE TEMPORARY TABLE k AS SELECT k.id, bureau_id, chain_id, k.start_on, contract_on, accepted_on FROM projects_keyproject k
  JOIN p ON p.id = project_id WHERE NOT k.is_test AND k.voided_at IS NULL AND kind <> 'landmark_task';
CREATE TEMPORARY TABLE a AS SELECT a.bureau_id, chain_id, role, organization_id AS firm, project_id AS project,
  begun AND (closed_on IS NULL OR closed_on >= :first) AND (left_on IS NULL OR left_on >= :first) AS active
  FROM projects_participation a JOIN p ON p.id = project_id
  WHERE joined_on <= :last AND organization_id NOT IN (SELECT id FROM enterprises_organization WHERE is_test);
UPDATE a SET active = NOT active WHERE active AND role = 'member'
  AND (firm, project) IN (SELECT firm, project FROM a WHERE active AND role = 'leader');
CREATE TEMPORARY TABLE q AS SELECT id, bureau_id, chain_id, list_owner_id, merged_into_id, submitted_at, accepted_at,
  listed_at, route, organization_id AS firm, result = 'bottleneck_solved' AS solved FROM projects_bottleneck WHERE NOT is_test AND voided_at IS NULL
  AND organization_id NOT IN (SELECT id FROM enterprises_organization WHERE is_test);
CREATE TEMPORARY TABLE s AS SELECT chain_id, list_owner_id, t.* FROM q JOIN (SELECT bottleneck_id, target, clock_due_on,
  handler_id AS holder, ROW_NUMBER() OVER (PARTITION BY bottleneck_id ORDER BY sequence DESC) AS back
  FROM projects_transition WHERE at < :until) t ON t.bottleneck_id = id AND back = 1 AND submitted_at < :until;
CREATE TEMPORARY TABLE m AS SELECT DISTINCT q.id, q.bureau_id, chain_id, target, listed_at, solved, accepted_at, route
  FROM q JOIN projects_transition t ON t.bottleneck_id = q.id AND merged_into_id IS NULL AND at >= :from AND at < :until AND source <> target;
CREATE TEMPORARY TABLE w AS SELECT id, bureau_id, chain_id, listed_at, accepted_at FROM m WHERE target = 'resolved' AND solved;
CREATE TEMPORARY TABLE e AS SELECT id, chain_id, target, route, solved, (SELECT handler_id FROM projects_transition t WHERE
  bottleneck_id = m.id AND target = 'posted' AND source <> target AND at < :until ORDER BY sequence DESC LIMIT 1) AS poster
  FROM m WHERE target IN ('posted', 'awarded', 'resolved');
CREATE TEMPORARY TABLE l AS SELECT id, bureau_id, chain_id FROM w WHERE listed_at IS NOT NULL UNION
  SELECT id, bureau_id, chain_id FROM m WHERE target = 'listed' UNION SELECT id, bureau_id, chain_id FROM q JOIN (
    SELECT bottleneck_id, target, ROW_NUMBER() OVER (PARTITION BY bottleneck_id ORDER BY sequence DESC) AS back
    FROM projects_transition WHERE at < :from) t ON bottleneck_id = id AND back = 1
  WHERE merged_into_id IS NULL AND listed_at < :from AND target IN (:on_list);
CREATE TEMPORARY TABLE g AS SELECT bureau_id, chain_id, drawn_on, sheet_count, is_counted_copy FROM projects_qualitymap
  WHERE status IN ('published', 'superseded') AND drawn_on <= :last;
CREATE TEMPORARY TABLE v AS SELECT unit, chain_id, :days AS days FROM (SELECT bureau_id, chain_id, accepted_at, (
    SELECT at FROM projects_transition t WHERE bottleneck_id = w.id AND target = 'resolved' AND source <> target
    AND at < :until ORDER BY sequence DESC LIMIT 1) AS at FROM w WHERE accepted_at IS NOT NULL) x JOIN above USING (bureau_id);
INSERT INTO v SELECT unit, NULL, days FROM v;
CREATE TEMPORARY TABLE d AS SELECT unit, chain_id, COUNT(*) AS n, SUM(CASE WHEN place = (n + 1) / 2 THEN days ELSE 0 END)
  + SUM(CASE WHEN place = (n + 2) / 2 THEN days ELSE 0 END) AS middle FROM (SELECT unit, chain_id, days, ROW_NUMBER() OVER (
    PARTITION BY unit, chain_id ORDER BY days) AS place, COUNT(*) OVER (PARTITION BY unit, chain_id) AS n FROM v) x GROUP BY 1, 2;
CREATE TEMPORARY TABLE keyed AS SELECT bureau_id, chain_id, firm AS item,
  CASE role WHEN 'leader' THEN 'I05' WHEN 'member' THEN 'I07' ELSE 'I09' END AS code FROM a WHERE active;
INSERT INTO keyed SELECT bureau_id, chain_id, item, 'I07U' FROM keyed WHERE code <> 'I09' UNION ALL
  SELECT r.bureau_id, chain_id, p.id, 'I01P' FROM projects_projectregion r JOIN p ON p.id = project_id
  WHERE begun AND is_cross_region AND start_on >= :first AND r.bureau_id <> p.bureau_id UNION ALL
  SELECT o.bureau_id, q.chain_id, firm, 'I21' FROM q JOIN w ON w.id = COALESCE(merged_into_id, q.id)
  JOIN enterprises_organization o ON o.id = firm UNION ALL SELECT o.bureau_id, b.chain_id, f.organization_id, 'I21'
  FROM projects_beneficiary f JOIN projects_bottleneck b ON b.id = bottleneck_id JOIN w ON w.id = COALESCE(b.merged_into_id, b.id)
  JOIN enterprises_organization o ON o.id = f.organization_id AND NOT o.is_test UNION ALL SELECT p.bureau_id, p.chain_id, (
    SELECT MIN(id) FROM projects_projectresult s WHERE s.kind = r.kind AND s.number = r.number), 'I23'
  FROM projects_projectresult r JOIN p ON p.id = r.project_id LEFT JOIN projects_keyproject j ON j.id = key_project_id
  WHERE published_on BETWEEN :first AND :last AND r.kind IN ('standard', 'metrology', 'certificate')
  AND j.is_test IS NOT TRUE AND j.voided_at IS NULL;
CREATE TEMPORARY TABLE own AS SELECT code, bureau_id, chain_id, COUNT(*) AS n FROM (
  SELECT 'I01' AS code, bureau_id, chain_id FROM p WHERE begun AND start_on >= :first UNION ALL
  SELECT 'I01L', bureau_id, chain_id FROM p WHERE begun AND start_on >= :first AND is_cross_region UNION ALL
  SELECT 'I02', bureau_id, chain_id FROM p WHERE begun AND (closed_on IS NULL OR closed_on > :last) UNION ALL
  SELECT 'I03', bureau_id, chain_id FROM c WHERE formed UNION ALL
  SELECT CASE WHEN dissolved_on <= :last THEN 'I04D' ELSE 'I04' END, bureau_id, chain_id FROM c WHERE formed UNION ALL
  SELECT CASE code WHEN 'I05' THEN 'I06' ELSE 'I08' END, bureau_id, chain_id FROM keyed WHERE code IN ('I05', 'I07') UNION ALL
  SELECT 'I10', bureau_id, chain_id FROM k WHERE contract_on BETWEEN :first AND :last UNION ALL
  SELECT 'I11', bureau_id, chain_id FROM k WHERE accepted_on BETWEEN :first AND :last UNION ALL
  SELECT 'I12', bureau_id, chain_id FROM q WHERE submitted_at >= :from AND submitted_at < :until UNION ALL
  SELECT 'I13', bureau_id, chain_id FROM q WHERE merged_into_id IS NULL AND accepted_at >= :from AND accepted_at < :until
  UNION ALL SELECT 'I14', list_owner_id, chain_id FROM s WHERE list_owner_id IS NOT NULL AND target IN (:on_list)
  UNION ALL SELECT 'I15', bureau_id, chain_id FROM m WHERE target = 'resolved' AND solved
  UNION ALL SELECT 'I16', bureau_id, chain_id FROM m WHERE target = 'resolved' AND solved AND listed_at IS NOT NULL
  UNION ALL SELECT 'I17', bureau_id, chain_id FROM m WHERE target = 'reopened'
  UNION ALL SELECT 'I18', holder, chain_id FROM s WHERE clock_due_on < :last AND target IN ('submitted', 'accepted',
    'listed', 'dispatched', 'posted', 'awarded', 'in_progress', 'unsolvable', 'verification', 'partly', 'reopened')
  UNION ALL SELECT 'I19', bureau_id, chain_id FROM l
  UNION ALL SELECT 'I22', bureau_id, chain_id FROM g WHERE drawn_on >= :first AND is_counted_copy
  UNION ALL SELECT CASE target WHEN 'posted' THEN 'I25' ELSE 'I25T' END, poster, chain_id FROM e
    WHERE poster IS NOT NULL AND target IN ('posted', 'awarded')
  UNION ALL SELECT 'I25A', poster, chain_id FROM e WHERE poster IS NOT NULL AND target = 'resolved' AND solved AND route = 'CHAL'
    AND id IN (SELECT bottleneck_id FROM projects_transition WHERE target = 'awarded')) x GROUP BY code, bureau_id, chain_id
  UNION ALL SELECT 'I22S', bureau_id, chain_id, SUM(sheet_count) FROM g WHERE drawn_on >= :first GROUP BY 2, 3
  UNION ALL SELECT 'I24', bureau_id, chain_id, SUM(CAST(ROUND(amount * 100) AS BIGINT)) FROM projects_investment i
    JOIN k ON k.id = key_project_id WHERE booked_on BETWEEN :first AND :last
    AND organization_id NOT IN (SELECT id FROM enterprises_organization WHERE is_test) GROUP BY 2, 3;
CREATE TEMPORARY TABLE total AS SELECT code, unit, chain_id, SUM(n) AS n FROM own JOIN above USING (bureau_id) GROUP BY 1, 2, 3
  UNION ALL SELECT code, unit, NULL, SUM(n) FROM own JOIN above USING (bureau_id) GROUP BY 1, 2
  UNION ALL SELECT code, unit, chain_id, COUNT(DISTINCT item) FROM keyed JOIN above USING (bureau_id) GROUP BY 1, 2, 3
  UNION ALL SELECT code, unit, NULL, COUNT(DISTINCT item) FROM keyed JOIN above USING (bureau_id) GROUP BY 1, 2;
CREATE TEMPORARY TABLE told AS SELECT DISTINCT ledger, unit FROM (SELECT 'projects' AS ledger, bureau_id FROM p
  WHERE start_on <= :last UNION SELECT 'consortia', bureau_id FROM c UNION SELECT 'key_projects', bureau_id FROM k
  WHERE start_on <= :last UNION SELECT 'participations', bureau_id FROM a UNION SELECT 'maps', bureau_id FROM g
  UNION SELECT 'problems', bureau_id FROM q WHERE submitted_at < :until) x JOIN above USING (bureau_id);
INSERT INTO bulletins_statvalue (snapshot_id, indicator, bureau_id, chain_id, value, late)
  SELECT :snapshot, code, unit, chain_id, n, 0 FROM total WHERE chain_id IS NOT NULL AND code <> 'I19' UNION ALL
  SELECT :snapshot, i.code, b.id, NULL, COALESCE(n, CASE WHEN told.unit IS NOT NULL THEN 0 END), 0
  FROM enterprises_bureau b CROSS JOIN (SELECT column1 AS code, column2 AS ledger FROM (VALUES :codes) v) i
  LEFT JOIN (SELECT * FROM total WHERE chain_id IS NULL) t ON t.code = i.code AND t.unit = b.id
  LEFT JOIN told ON told.ledger = i.ledger AND told.unit = b.id WHERE i.code NOT IN ('I19', 'I20');
INSERT INTO bulletins_statvalue (snapshot_id, indicator, bureau_id, chain_id, numerator, denominator, late)
  SELECT :snapshot, 'I19', l.unit, l.chain_id, COALESCE(t.n, 0), l.n, 0 FROM total l LEFT JOIN total t ON t.code = 'I16'
  AND t.unit = l.unit AND t.chain_id = l.chain_id WHERE l.code = 'I19' AND l.chain_id IS NOT NULL UNION ALL
  SELECT :snapshot, 'I19', b.id, NULL, CASE WHEN COALESCE(l.unit, told.unit) IS NOT NULL THEN COALESCE(t.n, 0) END,
  CASE WHEN COALESCE(l.unit, told.unit) IS NOT NULL THEN COALESCE(l.n, 0) END, 0 FROM enterprises_bureau b
  LEFT JOIN total l ON l.code = 'I19' AND l.unit = b.id AND l.chain_id IS NULL
  LEFT JOIN total t ON t.code = 'I16' AND t.unit = b.id AND t.chain_id IS NULL
  LEFT JOIN told ON ledger = 'problems' AND told.unit = b.id;
INSERT INTO bulletins_statvalue (snapshot_id, indicator, bureau_id, chain_id, value, denominator, late)
  SELECT :snapshot, 'I20', unit, chain_id, middle, n, 0 FROM d WHERE chain_id IS NOT NULL UNION ALL
  SELECT :snapshot, 'I20', b.id, NULL, middle, COALESCE(n, CASE WHEN told.unit IS NOT NULL THEN 0 END), 0
  FROM enterprises_bureau b LEFT JOIN d ON d.unit = b.id AND chain_id IS NULL
  LEFT JOIN told ON ledger = 'problems' AND told.unit = b.id;
