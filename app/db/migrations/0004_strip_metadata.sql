-- A job may ask that no file of it says how it was made: whoever runs it must know.

alter table app.jobs add column strip_metadata boolean not null default false;
