process.stdout.write('polyvisor\n');
