about();
drawTable();
drawBars();
drawCurves();
drawIdentities();
