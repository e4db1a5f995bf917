-- A thumbnail is a file of its output's run: it has bytes and an owner, and nobody asks for it by id.

alter table app.assets drop constraint assets_kind_check;
alter table app.assets add constraint assets_kind_check
    check (kind in ('image', 'video', 'audio', 'text', 'file', 'latent', 'thumbnail'));
