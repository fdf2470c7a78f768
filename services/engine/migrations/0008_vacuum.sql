-- Of an append-only table, vacuum has to see new pages only. By default it waits until a fifth of the table is new and then
-- goes slowly, minutes for a large one, and as long as it goes the BRIN indexes cannot be brought up to the table's end: both need
-- the same lock. So it comes often, at full speed, and freezes at once what will never change, so that it sees no page twice.
ALTER TABLE journal SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
                         autovacuum_vacuum_cost_delay = 0, autovacuum_freeze_min_age = 0);
ALTER TABLE journal_order SET (autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 1000000,
                               autovacuum_vacuum_cost_delay = 0, autovacuum_freeze_min_age = 0);
