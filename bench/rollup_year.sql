-- The floor of rollup_year: the figures of a period by hand, for both databases, into the table of the portal.
CREATE TEMPORARY TABLE above AS WITH RECURSIVE up (bureau_id, unit) AS (SELECT id, id FROM enterprises_bureau UNION ALL
  SELECT up.bureau_id, parent_id FROM up JOIN enterprises_bureau b ON b.id = unit AND parent_id IS NOT NULL) SELECT * FROM up;
CREATE TEMPORARY TABLE p AS SELECT id, bureau_id, chain_id, start_on, closed_on, is_cross_region,
  status IN ('executing', 'acceptance', 'accepted', 'failed', 'terminated') AND start_on <= :last AS begun
  FROM projects_chainproject WHERE NOT is_test AND voided_at IS NULL;
CREATE TEMPORARY TABLE c AS SELECT bureau_id, chain_id, status <> 'preparing' AND founded_on >= :first AS formed,
  dissolved_on FROM projects_consortium WHERE NOT is_test AND voided_at IS NULL AND founded_on <= :last;
CREATE TEMPORARY TABLE k AS SELECT bureau_id, chain_id, k.start_on, contract_on, accepted_on FROM projects_keyproject k
  JOIN p ON p.id = project_id WHERE NOT k.is_test AND k.voided_at IS NULL AND kind <> 'landmark_task';
CREATE TEMPORARY TABLE a AS SELECT a.bureau_id, chain_id, role, organization_id AS firm, project_id AS project,
  begun AND (closed_on IS NULL OR closed_on >= :first) AND (left_on IS NULL OR left_on >= :first) AS active
  FROM projects_participation a JOIN p ON p.id = project_id
  WHERE joined_on <= :last AND organization_id NOT IN (SELECT id FROM enterprises_organization WHERE is_test);
UPDATE a SET active = NOT active WHERE active AND role = 'member'
  AND (firm, project) IN (SELECT firm, project FROM a WHERE active AND role = 'leader');
CREATE TEMPORARY TABLE q AS SELECT id, bureau_id, chain_id, list_owner_id, merged_into_id, submitted_at, accepted_at,
  listed_at, result = 'bottleneck_solved' AS solved FROM projects_bottleneck WHERE NOT is_test AND voided_at IS NULL
  AND organization_id NOT IN (SELECT id FROM enterprises_organization WHERE is_test);
CREATE TEMPORARY TABLE s AS SELECT chain_id, list_owner_id, t.* FROM q JOIN (SELECT bottleneck_id, target, clock_due_on,
  handler_id AS holder, ROW_NUMBER() OVER (PARTITION BY bottleneck_id ORDER BY sequence DESC) AS back
  FROM projects_transition WHERE at < :until) t ON t.bottleneck_id = id AND back = 1 AND submitted_at < :until;
CREATE TEMPORARY TABLE m AS SELECT DISTINCT q.id, q.bureau_id, chain_id, target, listed_at, solved FROM q
  JOIN projects_transition t ON t.bottleneck_id = q.id AND merged_into_id IS NULL AND at >= :from AND at < :until AND source <> target;
CREATE TEMPORARY TABLE keyed AS SELECT bureau_id, chain_id, firm AS item,
  CASE role WHEN 'leader' THEN 'I05' WHEN 'member' THEN 'I07' ELSE 'I09' END AS code FROM a WHERE active;
INSERT INTO keyed SELECT bureau_id, chain_id, item, 'I07U' FROM keyed WHERE code <> 'I09' UNION ALL
  SELECT r.bureau_id, chain_id, p.id, 'I01P' FROM projects_projectregion r JOIN p ON p.id = project_id
  WHERE begun AND is_cross_region AND start_on >= :first AND r.bureau_id <> p.bureau_id;
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
  UNION ALL SELECT 'I14', list_owner_id, chain_id FROM s WHERE list_owner_id IS NOT NULL AND target IN ('listed',
    'dispatched', 'posted', 'awarded', 'in_progress', 'suspended', 'unsolvable', 'solution_filed', 'verification', 'partly', 'reopened')
  UNION ALL SELECT 'I15', bureau_id, chain_id FROM m WHERE target = 'resolved' AND solved
  UNION ALL SELECT 'I16', bureau_id, chain_id FROM m WHERE target = 'resolved' AND solved AND listed_at IS NOT NULL
  UNION ALL SELECT 'I17', bureau_id, chain_id FROM m WHERE target = 'reopened'
  UNION ALL SELECT 'I18', holder, chain_id FROM s WHERE clock_due_on < :last AND target IN ('submitted', 'accepted',
    'listed', 'dispatched', 'posted', 'awarded', 'in_progress', 'unsolvable', 'verification', 'partly', 'reopened')) x GROUP BY code, bureau_id, chain_id;
CREATE TEMPORARY TABLE total AS SELECT code, unit, chain_id, SUM(n) AS n FROM own JOIN above USING (bureau_id) GROUP BY 1, 2, 3
  UNION ALL SELECT code, unit, NULL, SUM(n) FROM own JOIN above USING (bureau_id) GROUP BY 1, 2
  UNION ALL SELECT code, unit, chain_id, COUNT(DISTINCT item) FROM keyed JOIN above USING (bureau_id) GROUP BY 1, 2, 3
  UNION ALL SELECT code, unit, NULL, COUNT(DISTINCT item) FROM keyed JOIN above USING (bureau_id) GROUP BY 1, 2;
INSERT INTO bulletins_statvalue (snapshot_id, indicator, bureau_id, chain_id, value, late)
  SELECT :snapshot, code, unit, chain_id, n, 0 FROM total WHERE chain_id IS NOT NULL UNION ALL
  SELECT :snapshot, i.code, b.id, NULL, COALESCE(n, CASE WHEN told.unit IS NOT NULL THEN 0 END), 0
  FROM enterprises_bureau b CROSS JOIN (SELECT column1 AS code, column2 AS ledger FROM (VALUES :codes) v) i
  LEFT JOIN (SELECT * FROM total WHERE chain_id IS NULL) t ON t.code = i.code AND t.unit = b.id
  LEFT JOIN (SELECT DISTINCT ledger, unit FROM (SELECT 'projects' AS ledger, bureau_id FROM p WHERE start_on <= :last
    UNION SELECT 'consortia', bureau_id FROM c UNION SELECT 'key_projects', bureau_id FROM k WHERE start_on <= :last
    UNION SELECT 'participations', bureau_id FROM a UNION SELECT 'problems', bureau_id FROM q WHERE submitted_at < :until) x
    JOIN above USING (bureau_id)) told ON told.ledger = i.ledger AND told.unit = b.id;
